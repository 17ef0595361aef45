import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { AllocatorTrim } from './allocator-trim.ts';

const MB = 1024 * 1024;

function setUp(freeMb: number) {
  const clock = new FakeClock();
  const state = { residentMb: 60, trims: 0 };
  new AllocatorTrim({
    clock,
    resident: () => state.residentMb * MB,
    trim: () => {
      state.trims++;
      state.residentMb -= freeMb;
    },
  }).start();
  return { state, look: () => clock.advance(1_000) };
}

test('memory that has grown by 4 MB is trimmed, and again when it has grown by as much', t => {
  const { look, state } = setUp(5);
  look();
  t.equal(state.trims, 0, 'what the start took is known');
  state.residentMb = 63;
  look();
  t.equal(state.trims, 0);
  state.residentMb = 70;
  look();
  t.equal(state.trims, 1);
  t.equal(state.residentMb, 65);
  state.residentMb = 68;
  look();
  t.equal(state.trims, 1);
  state.residentMb = 69;
  look();
  t.equal(state.trims, 2);
  t.end();
});

test('growth that cannot be given back is not tried again at each look', t => {
  const { look, state } = setUp(0);
  look();
  state.residentMb = 90;
  for (let i = 0; i < 10; i++) look();
  t.equal(state.trims, 1);
  t.end();
});

test('what a collection gives back counts: growth is from the least that was seen', t => {
  const { look, state } = setUp(0);
  look();
  state.residentMb = 50;
  look();
  state.residentMb = 54;
  look();
  t.equal(state.trims, 1);
  t.end();
});
