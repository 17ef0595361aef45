import { test } from 'tap';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { huffmanDecode, huffmanEncode } from './huffman.ts';

function decode(decoder: HpackDecoder, hex: string): string[] {
  const block = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const fields: string[] = [];
  decoder.decode(block, 0, block.length, fields);
  return fields;
}

const REQUEST = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'];
const SECURE = [
  ':method',
  'GET',
  ':scheme',
  'https',
  ':path',
  '/index.html',
  ':authority',
  'www.example.com',
];
const DATE = 'Mon, 21 Oct 2013 20:13:21 GMT';
const SITE = 'https://www.example.com';
const FOUND = [':status', '302', 'cache-control', 'private', 'date', DATE, 'location', SITE];

/** RFC 7541 Appendix C: blocks of one connection in order, and what they say. */
const APPENDIX_C: readonly (readonly [
  name: string,
  blocks: readonly (readonly [hex: string, fields: string[]])[],
])[] = [
  [
    'C.2.1 literal with indexing',
    [['400a637573746f6d2d6b65790d637573746f6d2d686561646572', ['custom-key', 'custom-header']]],
  ],
  ['C.2.2 literal without indexing', [['040c2f73616d706c652f70617468', [':path', '/sample/path']]]],
  ['C.2.3 never indexed', [['100870617373776f726406736563726574', ['password', 'secret']]]],
  ['C.2.4 indexed', [['82', [':method', 'GET']]]],
  [
    'C.3 requests without Huffman',
    [
      ['828684410f7777772e6578616d706c652e636f6d', REQUEST],
      ['828684be58086e6f2d6361636865', [...REQUEST, 'cache-control', 'no-cache']],
      [
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
        [...SECURE, 'custom-key', 'custom-value'],
      ],
    ],
  ],
  [
    'C.4 requests with Huffman',
    [
      ['828684418cf1e3c2e5f23a6ba0ab90f4ff', REQUEST],
      ['828684be5886a8eb10649cbf', [...REQUEST, 'cache-control', 'no-cache']],
      ['828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf', [...SECURE, 'custom-key', 'custom-value']],
    ],
  ],
];

for (const [name, blocks] of APPENDIX_C) {
  test(`RFC 7541 ${name}`, t => {
    const decoder = new HpackDecoder(65_536);
    for (const [hex, fields] of blocks) t.same(decode(decoder, hex), fields);
    t.end();
  });
}

test('RFC 7541 C.6: responses with Huffman and eviction from a table of 256 bytes', t => {
  const decoder = new HpackDecoder(65_536);
  const first =
    '3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3';
  t.same(decode(decoder, first), FOUND);
  t.same(decode(decoder, '4883640effc1c0bf'), [':status', '307', ...FOUND.slice(2)]);
  t.end();
});

/** What must be refused, each by its own sentence. */
const REFUSED: readonly (readonly [rule: string, hex: string])[] = [
  ['index 0', '80'],
  ['an index beyond the table', 'be'],
  ['a name index beyond the table', '7f00'],
  ['a table size update above the limit', '3fe21f'],
  ['a table size update behind a field', '8220'],
  ['an integer without end', 'ffffffffffff'],
  ['an integer cut off', 'ff'],
  ['a string longer than the block', '400a6162'],
  ['a literal without value', '4001 61'],
  ['Huffman padding of zeros', '4081 18 00'],
  ['Huffman padding of eight ones', '4082 1fff 00'],
  ['Huffman code of EOS', '4084 ffffffff 00'],
];

for (const [rule, hex] of REFUSED) {
  test(`refused: ${rule}`, t => {
    t.throws(() => decode(new HpackDecoder(65_536), hex), { name: 'Http2ConnectionError', code: 9 });
    t.end();
  });
}

test('a reduced table must be confirmed at the start of the next block', t => {
  const decoder = new HpackDecoder(65_536);
  decoder.setTableLimit(100);
  t.throws(() => decode(decoder, '82'), { message: 'HPACK: the reduced table size was not confirmed' });
  t.same(decode(decoder, '3f45 82'), [':method', 'GET']);
  t.end();
});

test('above the limit fields are left out, the size is told, and the table stays in step', t => {
  const encoder = new HpackEncoder(4096);
  const decoder = new HpackDecoder(100);
  const block = encoder.encode(['first', '1', 'second', 'x'.repeat(100), 'third', '3']);
  const fields: string[] = [];
  t.equal(decoder.decode(block, 0, block.length, fields), 38 + 138 + 38);
  t.same(fields, ['first', '1']);
  const again = encoder.encode(['third', '3']);
  t.equal(again.length, 1);
  const next: string[] = [];
  decoder.decode(again, 0, again.length, next);
  t.same(next, ['third', '3']);
  t.end();
});

test('secrets are never indexed, what differs each time is not, the rest is one byte the second time', t => {
  const encoder = new HpackEncoder(4096);
  const first = (fields: string[]): number => encoder.encode(fields)[0] ?? 0;
  for (const name of ['authorization', 'cookie', 'set-cookie', 'proxy-authorization']) {
    t.equal(first([name, 'secret']) & 0xf0, 0x10, name);
    t.equal(first([name, 'secret']) & 0xf0, 0x10, `${name} again`);
  }
  t.equal(first([':path', '/orders/1']) & 0xf0, 0x00);
  encoder.encode(['x-tenant', 'a']);
  t.equal(encoder.encode(['x-tenant', 'a']).length, 1);
  t.end();
});

test('Huffman code is for what is put into the table: what comes once is written as it is', t => {
  const text = 'aaaaaaaaaaaaaaaaaaaaaaaa';
  const valueOf = (name: string): Buffer =>
    new HpackEncoder(4096).encode([name, text]).subarray(-text.length);
  for (const name of [':path', 'traceparent', 'authorization']) t.equal(valueOf(name).toString(), text, name);
  t.not(valueOf('x-tenant').toString(), text);
  t.end();
});

test('characters that would break out of a field become spaces', t => {
  const block = new HpackEncoder(4096).encode(['a', 'x\r\ny\0z\u010a']);
  const fields: string[] = [];
  new HpackDecoder(1000).decode(block, 0, block.length, fields);
  t.same(fields, ['a', 'x  y z ']);
  t.end();
});

test('a change of the table size is announced: the smallest, then the last', t => {
  const encoder = new HpackEncoder(4096);
  encoder.encode(['x', 'y']);
  encoder.setPeerTableLimit(0);
  encoder.setPeerTableLimit(100);
  const block = Buffer.from(encoder.encode(['x', 'y']));
  t.same([...block.subarray(0, 3)], [0x20, 0x3f, 100 - 31]);
  t.same(decode(new HpackDecoder(1000), block.toString('hex')), ['x', 'y']);
  t.end();
});

test('Huffman: every character there and back', t => {
  const text = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
  const coded = Buffer.alloc(2000);
  const end = huffmanEncode(text, coded, 0);
  const out = Buffer.alloc(2000);
  t.equal(out.toString('latin1', 0, huffmanDecode(coded, 0, end, out)), text);
  t.end();
});
