import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { MeshGate } from './mesh-gate.ts';

const refusal = { code: 'unreachable', message: /the configuration of the mesh is not known yet/ };

test('who comes while the gate is shut waits until it opens', async t => {
  const clock = new FakeClock();
  const gate = new MeshGate(clock, 10_000);
  const waits = [gate.wait(), gate.wait()];
  t.notOk(gate.known);
  clock.advance(9_999);
  gate.open();
  await Promise.all(waits);
  t.ok(gate.known);
  await gate.wait();
  t.equal(clock.pendingTimers, 0);
});

test('the wait ends with the grace, which begins with the gate, not with who waits', async t => {
  const clock = new FakeClock();
  const gate = new MeshGate(clock, 10_000);
  const early = gate.wait();
  clock.advance(6_000);
  const late = gate.wait();
  clock.advance(4_000);
  await t.rejects(early, refusal);
  await t.rejects(late, refusal);
  await t.rejects(gate.wait(), refusal, 'then nobody waits any more');
  t.equal(clock.pendingTimers, 0);
  gate.open();
  await gate.wait();
});

test('a wait with a deadline of its own ends there', async t => {
  const clock = new FakeClock();
  const gate = new MeshGate(clock, 0);
  const wait = gate.wait(500);
  clock.advance(500);
  await t.rejects(wait, refusal);
  t.equal(clock.pendingTimers, 0);
});
