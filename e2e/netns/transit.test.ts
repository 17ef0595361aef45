import { test } from 'tap';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { secondsFor, transit } from '../transit/run.ts';

/**
 * Nothing is lost in transit: known bytes both ways through captured pods and a tunnel, with pauses, half-closes and resets
 * at random. `TRANSIT_GIB`: how much is checked on each engine; `npm run transit -- --gib 100` does the same and tells how far it is.
 */
const GIB = Number(process.env['TRANSIT_GIB'] ?? 0.1);

for (const engine of ['native', 'node'] as const) {
  test(`${engine}: every byte arrives, in order, and every end as what it was`, {
    skip: cannotMakeNetns(),
    timeout: (secondsFor(GIB) + 30) * 1000,
  }, async t => {
    const { faults, verifiedBytes } = await transit({ engine, gib: GIB, report: line => t.comment(line) });
    t.same(faults, [], 'nothing was wrong at either end');
    t.ok(verifiedBytes >= GIB * 2 ** 30, `${verifiedBytes} bytes`);
  });
}
