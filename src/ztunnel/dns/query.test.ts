import { test } from 'tap';
import { parseQuery } from './query.ts';
import { encodeName, encodeQuery, TYPES } from './testing/messages.ts';

const plain = encodeQuery({ name: 'Orders.Shop' });

/** The query with bytes changed. */
function changed(bytes: Buffer, changes: Readonly<Record<number, number>>): Buffer {
  const copy = Buffer.from(bytes);
  for (const [at, value] of Object.entries(changes)) copy[Number(at)] = value;
  return copy;
}

/** A query for a name that is given as bytes. */
function withName(name: Buffer, rest = Buffer.from([0, 1, 0, 1])): Buffer {
  return Buffer.concat([plain.subarray(0, 12), name, rest]);
}

const longest = [...Array.from({ length: 3 }, () => 'a'.repeat(63)), 'b'.repeat(61)].join('.');

test('what an ordinary query asks', async t => {
  t.same(parseQuery(plain), {
    kind: 'question',
    question: { name: 'orders.shop', type: TYPES.A, class: 1, end: plain.length, edns: undefined },
  });
  const edns = encodeQuery({ name: '', type: TYPES.HTTPS, udpBytes: 1400 });
  t.same(parseQuery(edns), {
    kind: 'question',
    question: { name: '', type: TYPES.HTTPS, class: 1, end: 17, edns: { udpBytes: 1400, dnssecOk: false } },
  });
  t.match(parseQuery(changed(edns, { 24: 0x80 })), { question: { edns: { dnssecOk: true } } });
  t.match(parseQuery(encodeQuery({ name: longest })), { kind: 'question', question: { name: longest } });
});

for (const [sentence, bytes, expected] of [
  ['an empty message is not answered', Buffer.alloc(0), { kind: 'ignored' }],
  ['nor is one shorter than a header', plain.subarray(0, 11), { kind: 'ignored' }],
  ['nor is an answer', changed(plain, { 2: 0x81 }), { kind: 'ignored', reason: 'an answer' }],
  ['a header alone has no question', changed(plain, { 5: 0 }), { kind: 'malformed', reason: 'no question' }],
  ['a name that is cut off', plain.subarray(0, 20), { kind: 'malformed', reason: 'the name is cut off' }],
  ['a name without an end', plain.subarray(0, 24), { kind: 'malformed' }],
  [
    'a question without type',
    plain.subarray(0, 27),
    { kind: 'malformed', reason: 'the question is cut off' },
  ],
  [
    'a name that is a pointer',
    withName(Buffer.from([0xc0, 12])),
    { kind: 'malformed', reason: 'the name is compressed' },
  ],
  ['a label of a reserved type', withName(Buffer.from([0x41, 1])), { kind: 'malformed' }],
  [
    'a name of more than 255 bytes',
    withName(encodeName(`${longest}b`)),
    { kind: 'malformed', reason: 'the name is too long' },
  ],
  ['another operation is for others to understand', changed(plain, { 2: 0x29 }), { kind: 'opaque' }],
  ['so are two questions', changed(plain, { 5: 2 }), { kind: 'opaque' }],
  ['a query that is cut off by its client', changed(plain, { 2: 0x03 }), { kind: 'opaque' }],
  ['records before the additional ones', changed(plain, { 7: 1 }), { kind: 'opaque' }],
  ['bytes behind the question', Buffer.concat([plain, Buffer.from([0])]), { kind: 'opaque' }],
  [
    'a version of EDNS that is not known',
    changed(encodeQuery({ name: 'a', udpBytes: 512 }), { 25: 1 }),
    { kind: 'opaque' },
  ],
  [
    'options that are cut off',
    changed(encodeQuery({ name: 'a', udpBytes: 512 }), { 29: 4 }),
    { kind: 'opaque' },
  ],
  [
    'an additional record of another type (a signature)',
    changed(encodeQuery({ name: 'a', udpBytes: 512 }), { 21: 250 }),
    { kind: 'opaque' },
  ],
  [
    'a label with a dot in it is no name of a host',
    withName(Buffer.from([3, 0x61, 0x2e, 0x62, 0])),
    { kind: 'question', question: { name: undefined } },
  ],
] as const) {
  test(sentence, async t => t.match(parseQuery(bytes), expected));
}
