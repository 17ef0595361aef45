import fc from 'fast-check';
import { test } from 'tap';
import { HpackEncoder } from '#shared/http2/hpack-encoder.ts';
import { huffmanEncode } from '#shared/http2/huffman.ts';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { describeStatus, isStatus200, PathFinder } from './header-block.ts';

function encoded(fields: readonly string[], encoder = new HpackEncoder(4096)): Buffer {
  return Buffer.from(encoder.encode(fields));
}

test('a head with status 200 is known, and no other', async t => {
  for (const status of ['200', '204', '206', '304', '400', '404', '500', '503', '100', '20', '2000']) {
    const block = encoded([':status', status, 'content-type', 'text/plain']);
    t.equal(isStatus200(block, 0, block.length), status === '200', status);
    t.equal(describeStatus(block, 0, block.length), status);
  }
  const resized = encoded([':status', '200'], new HpackEncoder(100));
  t.ok((resized[0] ?? 0) < 0x40, 'it begins with the size of the table');
  t.ok(isStatus200(resized, 0, resized.length));
  const trailers = encoded(['grpc-status', '0']);
  t.notOk(isStatus200(trailers, 0, trailers.length));
  t.match(describeStatus(trailers, 0, trailers.length), /without status/);
});

const PATHS = ['/body/1k', '/body/1m', '/'.repeat(300)];

test('the path of a request is found wherever it stands among the pseudo-headers', async t => {
  const finder = new PathFinder(PATHS);
  const encoder = new HpackEncoder(4096);
  const before = [
    [],
    [':method', 'GET', ':scheme', 'http'],
    [':method', 'POST', ':authority', 'a.b', ':scheme', 'https'],
    [':method', 'PURGE', ':authority', 'x'.repeat(400)],
  ];
  for (const [i, path] of PATHS.entries())
    for (const fields of before) {
      // The second time what can be indexed is.
      for (const _ of [1, 2]) {
        const block = encoded([...fields, ':path', path, 'x-request-id', 'abc'], encoder);
        t.equal(finder.find(block, 0, block.length), i);
      }
    }
  const none = [
    [':path', '/'],
    [':path', '/body/1kk'],
    [':path', '/body'],
    [':method', 'GET'],
    ['path', '/body/1k'],
    [],
  ];
  for (const fields of none) {
    const block = encoded(fields);
    t.equal(finder.find(block, 0, block.length), -1, fields.join(' '));
  }
  const code = huffman('/body/1m');
  const coded = Buffer.concat([Buffer.from([0x04, 0x80 | code.length]), code]);
  t.equal(finder.find(coded, 0, coded.length), 1, 'in Huffman code');
  t.equal(finder.find(Buffer.from('\x44\x08/body/1k', 'latin1'), 0, 10), 0, 'put into the table');
});

test('no bytes lead beyond the block', t => {
  const finder = new PathFinder(PATHS);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      const block = Buffer.from(bytes);
      const found = finder.find(block, 0, block.length);
      if (
        found >= 0 &&
        !block.includes(Buffer.from(PATHS[found] ?? '')) &&
        !block.includes(huffman(PATHS[found] ?? ''))
      )
        throw new Error(`found ${found}`);
      isStatus200(block, 0, block.length);
      describeStatus(block, 0, block.length);
    }),
    fuzzRun(1),
  );
  t.end();
});

function huffman(path: string): Buffer {
  const code = Buffer.alloc(path.length * 4);
  return code.subarray(0, huffmanEncode(path, code, 0));
}
