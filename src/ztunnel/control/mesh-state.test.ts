import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { MeshState } from './mesh-state.ts';

function setup({ stateDir }: { stateDir: string | undefined } = { stateDir: '/state' }) {
  const clock = new FakeClock();
  const lines: string[] = [];
  let known = 0;
  const state = new MeshState({
    clock,
    logger: loggerInto(lines, { now: () => clock.now() }),
    graceMs: 10_000,
    stateDir,
    onKnown: () => known++,
  });
  state.source = () => ({ source: 'istiod:15012', lastError: 'connect ECONNREFUSED' });
  return { clock, lines, state, known: () => known };
}

test('what a snapshot holds is known when all of it has been told, not with the first part', t => {
  const { state, known } = setup();
  state.told();
  t.notOk(state.gate.known, 'policies may be in the next part');
  state.started();
  t.ok(state.gate.known);
  t.equal(known(), 1);
  state.synced();
  t.equal(known(), 1, 'it is said once');
  t.end();
});

test('without a snapshot it is known when the controller has told every type', t => {
  const { state, known } = setup();
  state.started();
  t.notOk(state.gate.known);
  state.told();
  t.notOk(state.gate.known);
  state.synced();
  t.ok(state.gate.known);
  t.equal(known(), 1);
  t.end();
});

test('while it is not known, who asks is told why, and what that means', t => {
  const { state } = setup();
  state.started();
  t.same(state.missing(), [
    'captured pods are refused, but for those that an older ztunnel of this node serves: no usable snapshot in /state, and istiod:15012 has not told everything yet (connect ECONNREFUSED)',
  ]);
  state.synced();
  t.same(state.missing(), []);
  const { state: other } = setup({ stateDir: undefined });
  t.match(other.missing(), [/: STATE_DIR is not set, and istiod/]);
  t.end();
});

test('that captured pods are refused is an error of the log, again and again, until they are not', t => {
  const { state, clock, lines } = setup();
  state.started();
  clock.advance(9_999);
  t.same(lines, [], 'a start may take a moment');
  clock.advance(1);
  t.match(lines, [/\terror\t.*the mesh is not known.*no usable snapshot in \/state/]);
  clock.advance(60_000);
  t.equal(lines.length, 2);
  state.synced();
  clock.advance(600_000);
  t.equal(lines.length, 2);
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('a process that ends says nothing more', t => {
  const { state, clock } = setup();
  state.started();
  state.close();
  t.equal(clock.pendingTimers, 0);
  t.end();
});
