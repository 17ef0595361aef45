import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { cannotIsolate, runIsolated } from './isolated.ts';

const PROGRAM = fileURLToPath(new URL('waypoint-canary.ts', import.meta.url));

interface Outcome {
  readonly share: { readonly allowed: number; readonly denied: number; readonly others: object };
}

test('a canary waypoint gets its share of connections, and each of the two waypoints holds its own policies', {
  skip: cannotIsolate(),
  timeout: 600_000,
}, async t => {
  const outcome = await runIsolated(PROGRAM);
  t.match(outcome, {
    before: { 200: 200 },
    missing: { 200: 200 },
    made: [],
    all: { 403: 200 },
    none: { 200: 200 },
  });
  t.ok(isOutcome(outcome), JSON.stringify(outcome));
  if (!isOutcome(outcome)) return;
  const { allowed, denied, others } = outcome.share;
  t.same(others, {});
  t.equal(allowed + denied, 200);
  // Of 200 fair draws, so far from half one in ten millions is.
  t.ok(denied > 60 && denied < 140, `${denied} of 200 went to the canary`);
});

function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'object' && value !== null && 'share' in value;
}
