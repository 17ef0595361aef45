import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { MeshGate } from '../../pod/mesh-gate.ts';
import { AdmissionServer } from './admission-server.ts';
import { untilMayTakeCharge } from './charge.ts';

/** An older ztunnel that answers the plugin, and one that has begun to start. */
async function setUp(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'cni-'));
  const clock = new FakeClock();
  const lines: string[] = [];
  const logger = loggerInto(lines);
  const make = (): AdmissionServer =>
    new AdmissionServer({
      path: join(directory, 'cni.sock'),
      answer: () => Promise.resolve({ ok: true, captured: true, reason: '' }),
      onCharge: () => undefined,
      clock,
      logger,
    });
  const old = make();
  const young = make();
  await old.start();
  t.teardown(async () => {
    for (const server of [old, young]) await server.stop(false);
    rmSync(directory, { recursive: true, force: true });
  });
  const mesh = new MeshGate(clock, 10_000);
  let isStopped = false;
  let isOver = false;
  const may = untilMayTakeCharge({
    mesh,
    logger,
    isServedByOlder: () => young.isServedByOlder(),
    isStopped: () => isStopped,
  }).then(() => void (isOver = true));
  /** So many looks for the older one. */
  const looks = async (count: number): Promise<void> => {
    for (let i = 0; i < count && !isOver; i++) {
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      clock.advance(250);
    }
  };
  return { old, young, mesh, may, looks, lines, isOver: () => isOver, stop: () => (isStopped = true) };
}

test('an older ztunnel that answers the plugin stays in charge until the mesh is known, however long', async t => {
  const { old, young, mesh, may, looks, lines, isOver } = await setUp(t);
  await looks(100);
  t.notOk(isOver());
  t.ok(old.isInCharge());
  t.match(lines, [/an older ztunnel of this node stays in charge until the mesh is known here/]);
  mesh.open();
  await may;
  await young.start();
  t.notOk(old.isInCharge());
});

test('when it has gone, there is nobody to wait for', async t => {
  const { old, may, looks, isOver } = await setUp(t);
  await looks(3);
  t.notOk(isOver());
  await old.stop(false);
  await looks(20);
  await may;
});

test('a process that ends meanwhile does not take charge', async t => {
  const { may, looks, stop } = await setUp(t);
  await looks(3);
  stop();
  await looks(20);
  await may;
});
