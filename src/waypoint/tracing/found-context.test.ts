import { test } from 'tap';
import { parseTraceparent } from '#shared/observability/trace-context.ts';
import { findContext } from './found-context.ts';
import { ensureTraceparent, writeContext } from './write-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

test('where a request stands in a trace', t => {
  const rows: readonly (readonly [string, readonly string[], object | undefined])[] = [
    ['nothing', ['accept', '*/*'], undefined],
    [
      'W3C',
      ['traceparent', `00-${TRACE}-${SPAN}-01`],
      { traceId: TRACE, parentId: SPAN, sampled: true, format: 'w3c' },
    ],
    ['W3C, not sampled', ['traceparent', `00-${TRACE}-${SPAN}-00`], { sampled: false, format: 'w3c' }],
    [
      'B3 in one',
      ['b3', `${TRACE}-${SPAN}-1`],
      { traceId: TRACE, parentId: SPAN, sampled: true, format: 'b3' },
    ],
    ['B3 in one, with its parent', ['b3', `${TRACE}-${SPAN}-0-${SPAN}`], { sampled: false }],
    ['B3 in one, undecided', ['b3', `${TRACE}-${SPAN}`], { sampled: undefined, format: 'b3' }],
    ['B3 debug', ['b3', `${TRACE}-${SPAN}-d`], { sampled: true }],
    ['B3 of 64 bits', ['b3', `${SPAN}-${SPAN}-1`], { traceId: `0000000000000000${SPAN}` }],
    [
      'B3 in several',
      ['x-b3-traceid', TRACE, 'x-b3-spanid', SPAN, 'x-b3-sampled', '1'],
      { sampled: true, format: 'b3multi' },
    ],
    [
      'B3 in several, debug',
      ['x-b3-traceid', TRACE, 'x-b3-spanid', SPAN, 'x-b3-flags', '1'],
      { sampled: true },
    ],
    ['B3 in capitals', ['x-b3-traceid', TRACE.toUpperCase(), 'x-b3-spanid', SPAN], { traceId: TRACE }],
    [
      'W3C before B3',
      ['b3', `${'1'.repeat(32)}-${SPAN}-0`, 'traceparent', `00-${TRACE}-${SPAN}-01`],
      { traceId: TRACE, format: 'w3c' },
    ],
    ['B3 where W3C is malformed', ['traceparent', 'nonsense', 'b3', `${TRACE}-${SPAN}-1`], { format: 'b3' }],
    ['a sampling decision alone', ['b3', '0'], undefined],
    ['zeros', ['b3', `${'0'.repeat(32)}-${SPAN}-1`], undefined],
    ['no span', ['x-b3-traceid', TRACE], undefined],
    ['too long', ['b3', `${TRACE}${TRACE}-${SPAN}-1`], undefined],
  ];
  for (const [sentence, headers, expected] of rows) {
    const found = findContext([...headers]);
    if (expected === undefined) t.equal(found, undefined, sentence);
    else t.match(found, expected, sentence);
  }
  t.end();
});

test('what comes next has the new span as its parent, in the words the request came with', t => {
  const next = 'aaaaaaaaaaaaaaa1';
  const w3c = ['traceparent', `00-${TRACE}-${SPAN}-01`, 'tracestate', 'v=1'];
  writeContext(w3c, TRACE, next, 'w3c');
  t.same(w3c, ['traceparent', `00-${TRACE}-${next}-01`, 'tracestate', 'v=1']);
  const b3 = ['b3', `${TRACE}-${SPAN}-1`];
  writeContext(b3, TRACE, next, 'b3');
  t.same(b3, ['b3', `${TRACE}-${next}-1`, 'traceparent', `00-${TRACE}-${next}-01`]);
  const several = ['x-b3-traceid', TRACE, 'x-b3-spanid', SPAN, 'x-b3-parentspanid', SPAN];
  writeContext(several, TRACE, next, 'b3multi');
  t.same(several, [
    'x-b3-traceid',
    TRACE,
    'x-b3-spanid',
    next,
    'traceparent',
    `00-${TRACE}-${next}-01`,
    'x-b3-sampled',
    '1',
  ]);
  t.end();
});

test('every request goes on with a traceparent: its own, that of its B3 headers, or a new one that is not sampled', t => {
  const random = (): number => 0.5;
  const own = ['traceparent', 'as it came'];
  ensureTraceparent(own, random);
  t.same(own, ['traceparent', 'as it came']);
  const b3 = ['b3', `${TRACE}-${SPAN}-1`];
  ensureTraceparent(b3, random);
  t.equal(b3[3], `00-${TRACE}-${SPAN}-01`);
  const none: string[] = [];
  ensureTraceparent(none, random);
  t.equal(none[1], `00-${'80000000'.repeat(3)}80000001-8000000080000001-00`);
  const zeros: string[] = [];
  ensureTraceparent(zeros, () => 0);
  t.ok(parseTraceparent(zeros[1] ?? ''), 'no id is all zeros');
  t.end();
});
