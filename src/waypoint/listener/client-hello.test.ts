import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import { test, type Test } from 'tap';
import { MAX_HELLO_BYTES, readClientHello } from './client-hello.ts';

/** The first bytes of the runtime's own TLS client. */
async function helloOf(t: Test, servername: string | undefined): Promise<Buffer> {
  const received = Promise.withResolvers<Buffer>();
  const server = createServer(socket => socket.once('data', (data: Buffer) => received.resolve(data)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const client = connect({ port, host: '127.0.0.1', ...(servername === undefined ? {} : { servername }) });
  client.on('error', () => undefined);
  t.teardown(() => {
    client.destroy();
    server.close();
  });
  return received.promise;
}

test('the name a real client asks for is read, however its bytes come', async t => {
  const hello = await helloOf(t, 'Payments.Example.com');
  t.same(readClientHello(hello), { kind: 'tls', serverName: 'payments.example.com' });
  for (const cut of [0, 1, 4, 5, 6, 9, 44, hello.length - 1])
    t.same(
      readClientHello(hello.subarray(0, cut)),
      cut === 0 ? { kind: 'incomplete' } : { kind: 'incomplete' },
      `${cut} bytes`,
    );
  t.same(
    readClientHello(Buffer.concat([hello, Buffer.from('more')])).kind,
    'tls',
    'what follows is not looked at',
  );
});

test('a client that names nobody has an empty name', async t => {
  t.same(readClientHello(await helloOf(t, undefined)), { kind: 'tls', serverName: '' });
});

test('a hello in several records is put together', async t => {
  const hello = await helloOf(t, 'a.example.com');
  const body = hello.subarray(5);
  const record = (part: Buffer): Buffer =>
    Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
  const cut = Buffer.concat([
    record(body.subarray(0, 3)),
    record(body.subarray(3, 100)),
    record(body.subarray(100)),
  ]);
  t.same(readClientHello(cut), { kind: 'tls', serverName: 'a.example.com' });
});

test('what is no ClientHello is told apart at its first bytes', t => {
  const rows: readonly (readonly [string, Buffer, string])[] = [
    ['text', Buffer.from('GET / HTTP/1.1\r\n'), 'not_tls'],
    ['another version', Buffer.from([22, 9, 1, 0, 5]), 'not_tls'],
    ['a record of no length', Buffer.from([22, 3, 1, 0, 0, 1]), 'unread'],
    ['a record that is too long', Buffer.from([22, 3, 1, 255, 255, 1]), 'unread'],
    ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'unread'],
    [
      'a hello that claims to be longer than may be',
      Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255]),
      'unread',
    ],
    [
      'a hello that another record interrupts',
      Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 9, 23, 3, 3, 0, 1, 0]),
      'unread',
    ],
    ['nothing yet', Buffer.alloc(0), 'incomplete'],
    ['a hello without a body', Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]), 'tls'],
  ];
  for (const [sentence, bytes, kind] of rows) t.equal(readClientHello(bytes).kind, kind, sentence);
  t.ok(MAX_HELLO_BYTES > 16_384);
  t.end();
});
