import { test } from 'tap';
import { parseDurationMs } from './duration.ts';

const ROWS: readonly [string, string, number | undefined][] = [
  ['seconds', '10s', 10_000],
  ['milliseconds', '100ms', 100],
  ['minutes are not milliseconds', '1m', 60_000],
  ['units add up', '1h30m', 5_400_000],
  ['a fraction', '1.5s', 1500],
  ['microseconds', '500us', 0.5],
  ['zero', '0s', 0],
  ['zero without a unit', '0', 0],
  ['a number without a unit', '10', undefined],
  ['an unknown unit', '1d', undefined],
  ['a negative duration', '-1s', undefined],
  ['a space', '1 s', undefined],
  ['nothing', '', undefined],
  ['more parts than a duration has', '1s1s1s1s1s', undefined],
  ['more digits than a duration has', `${'9'.repeat(10)}s`, undefined],
];

test('parseDurationMs', async t => {
  for (const [name, text, expected] of ROWS) t.equal(parseDurationMs(text), expected, name);
});
