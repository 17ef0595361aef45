import { test } from 'tap';
import { wholeRecordsPayload } from './frame.ts';

test('a payload and its header fill whole TLS records, where the limit lets them', t => {
  for (const [limit, payload, sentence] of [
    [16_384, 16_375, 'the smallest limit of a peer: one record'],
    [131_072, 131_063, 'eight records'],
    [1_048_576, 1_048_567, 'the largest frame we take'],
    [16_375, 16_375, 'just one record'],
    [16_374, 16_374, 'less than a record stays what it is'],
    [1, 1, 'one byte'],
  ] as const)
    t.equal(wholeRecordsPayload(limit), payload, sentence);
  t.end();
});
