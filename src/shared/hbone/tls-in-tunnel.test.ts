import { createHash, randomBytes } from 'node:crypto';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions as ServerOptions } from 'node:tls';
import { test } from 'tap';
import { ChannelError } from '../engine/channel.ts';
import { copyBidirectional } from '../engine/copy.ts';
import type { ForeignServer, ForeignTlsMaterial, SecureChannel } from '../engine/engine.ts';
import { systemClock } from '../lifecycle/clock.ts';
import { createTestEngine } from '../testing/engine.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { createHboneMesh, type HboneMesh } from '../testing/hbone-mesh.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { createTestCa } from '../testing/test-ca.ts';
import type { HboneTunnel } from './hbone-target.ts';

/** TLS of servers of `node:tls`, reached through a tunnel: what a waypoint speaks with applications of the mesh. */

const ID = 'spiffe://elsewhere/ns/a/sa/b';
const PEER = { ip: '10.0.0.1', port: 443 };
const ca = await createTestCa('public');
const leaf = await ca.issue(ID, { serverNames: ['api.example'] });
const CERTIFICATE = { cert: leaf.certChainPem, key: leaf.privateKeyPem };
const TRUSTING: ForeignTlsMaterial = {
  trustedRootsPem: ca.rootPem,
  revocationListsPem: '',
  client: undefined,
};
const MIB = 1024 * 1024;

interface Lab {
  readonly mesh: HboneMesh;
  readonly tunnel: HboneTunnel;
  /** The application's end of the connection. */
  readonly accepted: Promise<Socket>;
}

/** An application and a tunnel to it. */
async function lab(t: { teardown(end: () => unknown): void }, server: Server): Promise<Lab> {
  const accepted = Promise.withResolvers<Socket>();
  let app: Socket | undefined;
  server.on('connection', (socket: Socket) => {
    app = socket.on('error', () => {});
    accepted.resolve(socket);
  });
  const port = await new Promise<number>(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  const mesh = await createHboneMesh();
  t.teardown(async () => {
    await mesh.close();
    app?.destroy();
    await new Promise(resolve => server.close(resolve));
  });
  mesh.onConnect = connect => {
    const { host: ip, port: at } = connect.request;
    mesh.engine.connect({ remote: { ip, port: at }, timeoutMs: 5_000 }).then(
      dialled => void copyBidirectional(connect.accept(), dialled, { clock: systemClock, onClose: () => {} }),
      (error: unknown) => connect.refuse(503, String(error)),
    );
  };
  const tunnel = await mesh.pool.connect({ ...mesh.target, request: { host: '127.0.0.1', port } });
  return { mesh, tunnel, accepted: accepted.promise };
}

interface Secure {
  readonly material?: Partial<ForeignTlsMaterial>;
  readonly server?: Partial<ForeignServer>;
  readonly alpn?: readonly string[];
}

function secure({ mesh, tunnel }: Lab, { alpn = [], material, server }: Secure = {}): Promise<SecureChannel> {
  const context = mesh.engine.createForeignTlsContext({ ...TRUSTING, ...material });
  const options = {
    alpn,
    timeoutMs: 5_000,
    verifyPeer: true,
    server: { serverName: 'api.example', names: ['api.example'], ...server },
  };
  return mesh.engine.secureClientOver(tunnel, context, options, PEER);
}

/** Sockets go on after the peer's end, as those of most servers. */
function tlsServer(onSocket: (socket: TLSSocket) => void, options: ServerOptions = {}): Server {
  const server = createServer({ ...CERTIFICATE, allowHalfOpen: true, ...options }, socket => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.on('tlsClientError', () => {});
  return server;
}

test('the server is asked for by its name, chooses a protocol, and both sides end in order', async t => {
  for (const [offered, chosen] of [
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [undefined, ''],
  ] as const) {
    const seen = Promise.withResolvers<TLSSocket>();
    const server = tlsServer(
      socket => {
        seen.resolve(socket);
        socket.pipe(socket);
      },
      offered === undefined ? {} : { ALPNProtocols: [...offered] },
    );
    const channel = await secure(await lab(t, server), { alpn: ['h2', 'http/1.1'] });
    const { servername } = await seen.promise;
    t.equal(servername, 'api.example');
    t.equal(channel.alpn, chosen);
    t.equal(channel.tlsVersion, 'TLSv1.3');
    t.ok(channel.peerNotAfter > Date.now());
    const recorder = new ChannelRecorder(channel);
    channel.write(Buffer.from('there '));
    channel.writeOwned(Buffer.from('and back'));
    channel.end();
    t.equal(channel.write(Buffer.from('late')), false, 'a write after the end is ignored');
    t.equal(await recorder.close(), undefined);
    t.equal(recorder.text, 'there and back');
    t.equal(recorder.ended, true);
  }
});

test('TLS 1.2 is spoken where a server knows no other', async t => {
  const server = tlsServer(socket => socket.end('hello'), { maxVersion: 'TLSv1.2' });
  const channel = await secure(await lab(t, server));
  t.equal(channel.tlsVersion, 'TLSv1.2');
  const recorder = new ChannelRecorder(channel);
  await recorder.until(() => recorder.ended);
  channel.end();
  t.equal(await recorder.close(), undefined);
  t.equal(recorder.text, 'hello');
});

test('what comes with the end of the handshake is held until somebody wants it', async t => {
  const channel = await secure(
    await lab(
      t,
      tlsServer(socket => socket.end('x'.repeat(50_000))),
    ),
  );
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
  const recorder = new ChannelRecorder(channel);
  await recorder.until(() => recorder.ended);
  t.equal(recorder.bytes, 50_000);
  channel.end();
  t.equal(await recorder.close(), undefined);
});

test('refused, in the words of a handshake over a socket', async t => {
  const other = await createTestCa('other');
  const expired = await ca.issueExpired(ID);
  const rows: readonly (readonly [string, Secure, ServerOptions, RegExp])[] = [
    [
      'another name than the one expected',
      { server: { names: ['other.example'] } },
      {},
      /^TLS handshake with 10\.0\.0\.1:443 failed: .*certificate is for .*api\.example.*; expected other\.example/,
    ],
    [
      'a server of another authority',
      { material: { trustedRootsPem: other.rootPem } },
      {},
      /^TLS handshake with 10\.0\.0\.1:443 failed: .*(not trusted|issuer)/,
    ],
    [
      'a certificate that has expired',
      {},
      { cert: expired.certChainPem, key: expired.privateKeyPem },
      /expired/i,
    ],
    [
      'none of the protocols that are offered',
      { alpn: ['h2'] },
      { ALPNProtocols: ['acme'] },
      /^TLS handshake with 10\.0\.0\.1:443 failed: .*(alert|protocol)/i,
    ],
  ];
  for (const [name, options, serverOptions, says] of rows) {
    const attempt = secure(
      await lab(
        t,
        tlsServer(() => {}, serverOptions),
      ),
      options,
    );
    await t.rejects(attempt, { code: 'tls_handshake', message: says }, name);
  }
});

test('a server that is refused hears of it', async t => {
  const heard = Promise.withResolvers<Error>();
  const server = tlsServer(() => {}, { allowHalfOpen: false });
  server.on('tlsClientError', heard.resolve);
  const to = await lab(t, server);
  const { rootPem } = await createTestCa('other');
  await t.rejects(secure(to, { material: { trustedRootsPem: rootPem } }));
  // The runtime verifies once the handshake is done, and closes without a word, over sockets as well.
  t.match((await heard.promise).message, to.mesh.engine.name === 'native' ? /alert/ : /hang up/);
});

test('what is no TLS is refused', async t => {
  const server = createTcpServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await t.rejects(secure(await lab(t, server)), {
    code: 'tls_handshake',
    message: /^TLS handshake with 10\.0\.0\.1:443 failed: .*(wrong version|packet length|record)/,
  });
});

test('a client certificate is shown to a server that asks for one', async t => {
  const asking = { requestCert: true, rejectUnauthorized: true, ca: ca.rootPem };
  const { certChainPem, privateKeyPem } = await ca.issue('spiffe://elsewhere/ns/a/sa/client');
  const greet = (socket: TLSSocket): void =>
    void socket.end(String(socket.getPeerX509Certificate()?.subjectAltName));
  const channel = await secure(await lab(t, tlsServer(greet, asking)), {
    material: { client: { certChainPem, privateKeyPem } },
  });
  const recorder = new ChannelRecorder(channel);
  await recorder.until(() => recorder.ended);
  t.equal(recorder.text, 'URI:spiffe://elsewhere/ns/a/sa/client');
  channel.end();
  t.equal(await recorder.close(), undefined);

  // TLS 1.3: whoever has none learns of it once the handshake is done on its side.
  const without = new ChannelRecorder(await secure(await lab(t, tlsServer(greet, asking))));
  t.match(await without.close(), { code: 'tls_alert', message: /certificate required/i });
});

test('either side ends its direction and goes on with the other', async t => {
  const ours = await secure(
    await lab(
      t,
      tlsServer(socket => socket.on('end', () => socket.end('answer')).resume()),
    ),
  );
  const first = new ChannelRecorder(ours);
  ours.write(Buffer.from('question'));
  ours.end();
  await first.until(() => first.ended);
  t.equal(first.text, 'answer');
  t.equal(await first.close(), undefined);

  const heard = Promise.withResolvers<string>();
  const theirs = await secure(
    await lab(
      t,
      tlsServer(socket => {
        socket.end('all of it');
        let text = '';
        socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
        socket.on('end', () => heard.resolve(text));
      }),
    ),
  );
  const second = new ChannelRecorder(theirs);
  await second.until(() => second.ended);
  t.notOk(second.closed, 'the other direction is open');
  theirs.write(Buffer.from('and an answer to it'));
  theirs.end();
  t.equal(await heard.promise, 'and an answer to it');
  t.equal(await second.close(), undefined);
});

test('megabytes arrive both ways as they were sent', async t => {
  const data = randomBytes(6 * MIB);
  const channel = await secure(
    await lab(
      t,
      tlsServer(socket => void socket.pipe(socket)),
    ),
  );
  const recorder = new ChannelRecorder(channel);
  const hash = createHash('sha256');
  recorder.onSlice = slice => void hash.update(slice);
  for (let at = 0; at < data.length; ) {
    const size = Math.min(data.length - at, 1 + ((at * 7919) % 200_000));
    const mayGoOn = channel.write(data.subarray(at, at + size));
    at += size;
    const { drains } = recorder;
    if (!mayGoOn) await recorder.until(() => recorder.drains > drains);
  }
  channel.end();
  t.equal(await recorder.close(), undefined);
  t.equal(hash.digest('hex'), createHash('sha256').update(data).digest('hex'));
});

test('a server that does not read stops us, one that is not read is stopped, and nothing is lost', async t => {
  const reading = Promise.withResolvers<TLSSocket>();
  const to = await lab(
    t,
    tlsServer(socket => reading.resolve(socket.pause())),
  );
  const channel = await secure(to);
  const recorder = new ChannelRecorder(channel);
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  while (channel.write(chunk) || (await settled(() => recorder.drains > 0))) {
    sent += chunk.length;
    recorder.drains = 0;
    if (sent > 64 * MIB) break;
  }
  sent += chunk.length;
  t.ok(sent < 32 * MIB, `${sent} bytes were taken: windows and buffers of sockets`);
  t.ok(channel.bufferedBytes < 4 * MIB, `${channel.bufferedBytes} bytes are queued here`);
  channel.end();
  const server = await reading.promise;
  let got = 0;
  server.on('data', (slice: Buffer) => (got += slice.length));
  await new Promise(resolve => server.on('end', resolve).resume());
  t.equal(got, sent);
  server.end();
  t.equal(await recorder.close(), undefined);

  const writer = Promise.withResolvers<TLSSocket>();
  const from = await secure(
    await lab(
      t,
      tlsServer(socket => writer.resolve(socket)),
    ),
  );
  const receiver = new ChannelRecorder(from);
  from.pause();
  const source = await writer.promise;
  let given = 0;
  while (source.write(chunk) || (await settled(() => !source.writableNeedDrain))) {
    given += chunk.length;
    if (given > 64 * MIB) break;
  }
  given += chunk.length;
  t.ok(given < 32 * MIB, `${given} bytes were given: windows and buffers of sockets`);
  t.equal(receiver.bytes, 0);
  source.end();
  from.resume();
  await receiver.until(() => receiver.ended);
  t.equal(receiver.bytes, given);
  from.end();
  t.equal(await receiver.close(), undefined);
});

/** Whether it becomes so within some turns in which nothing else happens. */
async function settled(ready: () => boolean): Promise<boolean> {
  for (let i = 0; i < 200 && !ready(); i++) await new Promise(resolve => setImmediate(resolve));
  return ready();
}

test('a tunnel that is reset ends the handshake, and the connection', async t => {
  const silent = await lab(
    t,
    createTcpServer(socket => socket.on('data', () => socket.resetAndDestroy())),
  );
  await t.rejects(secure(silent), {
    code: 'tls_handshake',
    message: /^TLS handshake with 10\.0\.0\.1:443 failed: tunnel ended: the peer reset the stream/,
  });

  const later = await lab(
    t,
    tlsServer(socket => void socket.write('hello')),
  );
  const recorder = new ChannelRecorder(await secure(later));
  await recorder.received(5);
  (await later.accepted).resetAndDestroy();
  t.match(await recorder.close(), { code: 'reset', message: /tunnel ended: the peer reset the stream/ });
  t.notOk(recorder.ended);
});

test('a connection that ends in the handshake', async t => {
  const closing = createTcpServer(socket => socket.on('data', () => socket.end()));
  await t.rejects(secure(await lab(t, closing)), {
    code: 'tls_handshake',
    message: 'TLS handshake with 10.0.0.1:443 failed: the peer closed the connection during the handshake',
  });
});

test('a connection that ends and not its TLS', async t => {
  const to = await lab(
    t,
    tlsServer(socket => void socket.write('half of')),
  );
  const channel = await secure(to);
  const recorder = new ChannelRecorder(channel);
  await recorder.received(7);
  (await to.accepted).destroySoon();
  if (to.mesh.engine.name === 'native') {
    t.match(await recorder.close(), {
      code: 'reset',
      message:
        'connection with 10.0.0.1:443: the peer closed the connection without ending TLS (no close_notify)',
    });
    t.notOk(recorder.ended);
  } else {
    // The runtime does not tell the one end from the other.
    await recorder.until(() => recorder.ended);
    channel.end();
    await recorder.close();
  }
});

test('an abort resets the tunnel', async t => {
  const ended = Promise.withResolvers<string>();
  const server = tlsServer(socket => {
    socket.on('error', (error: NodeJS.ErrnoException) => ended.resolve(String(error.code)));
    socket.write('hello');
  });
  const channel = await secure(await lab(t, server));
  const recorder = new ChannelRecorder(channel);
  await recorder.received(5);
  channel.abort(new ChannelError('policy', 'cut'));
  channel.abort(new ChannelError('io', 'again'));
  t.equal((await recorder.close())?.code, 'policy');
  t.equal(await ended.promise, 'ECONNRESET');
});

test('a server that never answers is given up at the deadline, and its tunnel with it', async t => {
  const { tunnel, accepted } = await lab(t, createTcpServer());
  const clock = new FakeClock(Date.now());
  const engine = createTestEngine({ clock });
  const options = { alpn: [], timeoutMs: 1_000, verifyPeer: true, server: { serverName: 'a', names: ['a'] } };
  const attempt = engine.secureClientOver(tunnel, engine.createForeignTlsContext(TRUSTING), options, PEER);
  const outcome = attempt.then(
    () => 'secured',
    (error: unknown) => String(error),
  );
  const socket = await accepted;
  const gone = new Promise(resolve => socket.on('close', resolve));
  await new Promise(resolve => socket.once('data', resolve));
  clock.advance(999);
  t.equal(engine.handshakes.client.active, 1);
  clock.advance(1);
  t.match(await outcome, /TLS handshake with 10\.0\.0\.1:443 not finished within 1000 ms/);
  t.equal(engine.handshakes.client.active, 0);
  await gone;
  t.equal(clock.pendingTimers, 0);
});
