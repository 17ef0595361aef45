import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { parseTap } from './tap-filter.ts';

test('any query of a tap is read or refused with a reason', t => {
  const name = fc.constantFrom('status', 'max_rps', 'limit', 'duration', 'headers', 'path', 'x');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), pairs => {
      const parsed = parseTap(new URLSearchParams(pairs));
      return parsed.ok || parsed.reason.length > 0;
    }),
    fuzzRun(1),
  );
  t.end();
});
