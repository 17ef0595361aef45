import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { findContext } from './found-context.ts';

test('whatever the headers, a context that is found can be sent on', t => {
  const name = fc.constantFrom(
    'traceparent',
    'b3',
    'x-b3-traceid',
    'x-b3-spanid',
    'x-b3-sampled',
    'x-b3-flags',
  );
  const part = fc.oneof(
    fc.constantFrom('0', '1', 'd', '-', '00', '01', 'a'.repeat(16), '0'.repeat(32)),
    fc.string(),
  );
  const value = fc.array(part, { maxLength: 6 }).map(parts => parts.join('-'));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), fields => {
      const found = findContext(fields.flat());
      if (found === undefined) return true;
      return /^[0-9a-f]{32}$/.test(found.traceId) && /^[0-9a-f]{16}$/.test(found.parentId);
    }),
    fuzzRun(1),
  );
  t.end();
});
