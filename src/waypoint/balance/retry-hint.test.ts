import { test } from 'tap';
import type { HeaderList } from '#shared/http/headers.ts';
import { retryHintMs } from './retry-hint.ts';

const NOW = Date.parse('2026-03-04T05:06:07Z');

const CASES: readonly [string, number, HeaderList, number][] = [
  ['none', 503, [], 0],
  ['seconds', 503, ['retry-after', '120'], 120_000],
  ['seconds, of who is asked too often', 429, ['retry-after', ' 3 '], 3_000],
  ['of other failures it means nothing here', 500, ['retry-after', '120'], 0],
  ['a time', 503, ['retry-after', 'Wed, 04 Mar 2026 05:06:37 GMT'], 30_000],
  ['a time that is past', 503, ['retry-after', 'Wed, 04 Mar 2026 05:06:00 GMT'], 0],
  ['a time in another form', 503, ['retry-after', '2026-03-04T05:06:37Z'], 0],
  ['a day there is not', 503, ['retry-after', 'Wed, 99 Mar 2026 05:06:37 GMT'], 0],
  ['half a second', 503, ['retry-after', '0.5'], 0],
  ['a negative one', 503, ['retry-after', '-1'], 0],
  ['gRPC, in ms', 503, ['grpc-retry-pushback-ms', '250'], 250],
  ['gRPC, of whatever failure', 500, ['grpc-retry-pushback-ms', '250'], 250],
  ['gRPC that must not be tried again', 503, ['grpc-retry-pushback-ms', '-1'], 0],
  ['gRPC that cannot be read', 503, ['grpc-retry-pushback-ms', 'soon'], 0],
];

test('how long an answer asks to be left alone', t => {
  for (const [name, status, fields, expected] of CASES)
    t.equal(retryHintMs(status, fields, NOW), expected, name);
  t.end();
});
