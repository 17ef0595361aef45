import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { formatTraceparent, parseTraceparent, traceIdOf } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const ROWS: readonly (readonly [string, string, boolean])[] = [
  ['a version 00 header is taken', `00-${TRACE}-${SPAN}-01`, true],
  ['a later version is read as far as it is understood', `01-${TRACE}-${SPAN}-01-more`, true],
  ['version 00 has no further fields', `00-${TRACE}-${SPAN}-01-more`, false],
  ['version ff is invalid', `ff-${TRACE}-${SPAN}-01`, false],
  ['an all-zero trace id is invalid', `00-${'0'.repeat(32)}-${SPAN}-01`, false],
  ['an all-zero parent id is invalid', `00-${TRACE}-${'0'.repeat(16)}-01`, false],
  ['upper case is invalid', `00-${TRACE.toUpperCase()}-${SPAN}-01`, false],
  ['a header without an end is refused unread', `01-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`, false],
];
test('traceparent', t => {
  for (const [name, value, ok] of ROWS) {
    const parsed = parseTraceparent(value);
    t.equal(parsed !== undefined, ok, name);
    t.equal(traceIdOf(value), parsed?.traceId, `${name}: the same without the rest`);
  }
  const later = '01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  for (const more of ['-x', '-', 'x', '-\n', '-\u2028'])
    t.equal(traceIdOf(later + more), parseTraceparent(later + more)?.traceId, encodeURIComponent(more));
  t.equal(formatTraceparent({ traceId: TRACE, parentId: SPAN, sampled: false }), `00-${TRACE}-${SPAN}-00`);
  t.end();
});

test('fuzz: the trace id by itself is that of the whole header', t => {
  const header = `00-${TRACE}-${SPAN}-01`;
  const change = fc.tuple(
    fc.nat({ max: header.length }),
    fc.constantFrom('0', 'f', 'g', '-', 'F', '', '\n', '-x'),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('00', '01', 'ff', 'fe'),
      fc.array(change, { maxLength: 3 }),
      (version, changes) => {
        let value = version + header.slice(2);
        for (const [at, text] of changes) value = value.slice(0, at) + text + value.slice(at + 1);
        return traceIdOf(value) === parseTraceparent(value)?.traceId;
      },
    ),
    fuzzRun(1),
  );
  t.end();
});
