import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { ResponseScanner } from './response-scanner.ts';

const BODY = 'x'.repeat(100);
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\nserver: envoy\r\n\r\n';

/** @returns after which slices an answer was complete */
function completed(scanner: ResponseScanner, slices: readonly string[]): readonly number[] {
  return slices.flatMap((slice, i) => (scanner.read(Buffer.from(slice, 'latin1')) ? [i] : []));
}

test('an answer is complete with the last byte of its body', async t => {
  t.same(
    completed(new ResponseScanner(100), [HEAD + BODY, HEAD, BODY, HEAD + 'xx', BODY.slice(2)]),
    [0, 2, 4],
  );
  const names = ['Content-Length: 100', 'CONTENT-LENGTH:100', 'content-length:   100  '];
  for (const name of names)
    t.same(
      completed(new ResponseScanner(100), [`HTTP/1.1 200 OK\r\na: b\r\n${name}\r\n\r\n${BODY}`]),
      [0],
      name,
    );
  t.same(
    completed(new ResponseScanner(100), [
      `HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${BODY}`,
      `HTTP/1.1 200 OK\r\nx: content-length: 7\r\ncontent-length: 100\r\n\r\n${BODY}`,
    ]),
    [0, 1],
    'it is looked for again where it does not stand where it stood',
  );
});

test('an answer that was not asked for ends the run, with what it was', async t => {
  const rows: readonly (readonly [name: string, answer: string, message: RegExp])[] = [
    ['another status', HEAD.replace('200 OK', '503 Service Unavailable'), /^answered HTTP\/1.1 503 Service/],
    ['another length', HEAD.replace('100', '101'), /content-length 101 where 100 bytes/],
    ['no length', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', /content-length NaN/],
    ['a length of the body', `HTTP/1.1 200 OK\r\n\r\n\ncontent-length: 100`, /content-length NaN/],
    ['more than was asked for', `${HEAD}${BODY}HTTP`, /4 bytes behind the answer/],
    ['another protocol', 'HTTP/1.0 200 OK\r\n\r\n', /answered HTTP\/1.0 200 OK/],
  ];
  for (const [name, answer, message] of rows)
    t.throws(() => new ResponseScanner(100).read(Buffer.from(answer)), { message }, name);
  const endless = new ResponseScanner(100);
  t.throws(() => {
    for (let i = 0; i < 100; i++) endless.read(Buffer.from(`HTTP/1.1 200 OK\r\n${'x'.repeat(1000)}`));
  }, /a head of more than 16384 bytes/);
});

test('however answers are cut, as many are complete, each where it ends', t => {
  const field = fc.constantFrom(
    'a: b',
    'date: now',
    'Content-Length: 5000',
    'x-content-length: 3',
    `z: ${BODY}`,
  );
  const answer = fc
    .tuple(fc.array(field, { maxLength: 4 }), fc.array(field, { maxLength: 4 }))
    .map(fields => {
      const others = fields.map(some => some.filter(line => !line.startsWith('Content')));
      const lines = ['HTTP/1.1 200 OK', ...(others[0] ?? []), 'content-length: 5000', ...(others[1] ?? [])];
      return `${lines.join('\r\n')}\r\n\r\n${'\r\n\r\nHTTP/1.1 '.repeat(400).slice(0, 5000).padEnd(5000, 'y')}`;
    });
  fc.assert(
    fc.property(
      fc.array(answer, { maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 6000 })),
      (all, cuts) => {
        const scanner = new ResponseScanner(5000);
        let at = 0;
        for (const text of all) {
          const bytes = Buffer.from(text, 'latin1');
          // One request is under way: no slice holds bytes of two answers.
          for (let from = 0; from < bytes.length; ) {
            const to = Math.min(bytes.length, from + (cuts[at++ % cuts.length] ?? 1));
            if (scanner.read(bytes.subarray(from, to)) !== (to === bytes.length))
              throw new Error(`wrong at ${to} of ${bytes.length}`);
            from = to;
          }
        }
      },
    ),
    fuzzRun(1),
  );
  t.end();
});
