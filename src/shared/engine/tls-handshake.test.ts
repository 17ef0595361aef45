import { connect, createServer } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ChannelRecorder, tcpPair, tlsHandshakes, tlsPair } from '../testing/loopback.ts';
import { createTestCa } from '../testing/test-ca.ts';
import { ChannelError } from './channel.ts';
import type { SecureChannel } from './engine.ts';
import { createTestEngine } from '../testing/engine.ts';

const CLIENT_ID = 'spiffe://cluster.local/ns/shop/sa/client';
const SERVER_ID = 'spiffe://cluster.local/ns/shop/sa/server';
const HOUR_MS = 3_600_000;
const engine = createTestEngine({ clock: systemClock });
const ca = await createTestCa();
const clientMaterial = await ca.issue(CLIENT_ID);
const client = engine.createTlsContext(clientMaterial);
const server = engine.createTlsContext(await ca.issue(SERVER_ID));

async function finish(...channels: SecureChannel[]): Promise<void> {
  const recorders = channels.map(c => new ChannelRecorder(c));
  for (const channel of channels) channel.end();
  await Promise.all(recorders.map(r => r.close()));
}

/** Ends what a handshake left open on the side that was content with it. */
async function cut(result: PromiseSettledResult<SecureChannel> | undefined): Promise<void> {
  if (result?.status !== 'fulfilled') return;
  const recorder = new ChannelRecorder(result.value);
  result.value.abort(new ChannelError('aborted', 'end of test'));
  await recorder.close();
}

async function failures(options: Parameters<typeof tlsHandshakes>[1]): Promise<readonly string[]> {
  const results = await tlsHandshakes(engine, options);
  await Promise.all(results.map(cut));
  return results.map(r => (r.status === 'rejected' ? String(r.reason) : 'accepted'));
}

test('both sides know the other by its SPIFFE id, over TLS 1.3 with the hybrid group', async t => {
  const pair = await tlsPair(engine, { client, server });
  t.same(pair.client.peerUris, [SERVER_ID]);
  t.same(pair.server.peerUris, [CLIENT_ID]);
  t.equal(pair.client.alpn, 'h2');
  t.equal(pair.server.tlsVersion, 'TLSv1.3');
  t.equal(pair.client.keyExchangeGroup, 'X25519MLKEM768');
  t.equal(pair.server.peerNotAfter, client.notAfter);
  t.ok(pair.server.peerLeaf.length > 200);
  await finish(pair.client, pair.server);
});

test('what arrives while nobody wants it is held, in order, with the end behind it', async t => {
  const pair = await tlsPair(engine, { client, server });
  t.equal(pair.client.readsAreOwned, false, 'reads share memory, so that nothing is allocated for a record');
  // Several records in one read: the runtime goes on delivering them after the first has paused the channel.
  pair.server.write(Buffer.from(`${'a'.repeat(20_000)}${'b'.repeat(20_000)}`));
  pair.server.end();
  const far = new ChannelRecorder(pair.server);
  await new Promise<void>(resolve => setImmediate(resolve));
  const near = new ChannelRecorder(pair.client);
  const text: string[] = [];
  near.onSlice = slice => {
    text.push(slice.toString('latin1'));
    pair.client.pause();
  };
  for (let seen = 0; seen < 40_000; seen = near.bytes) {
    await near.received(seen + 1);
    t.notOk(near.ended);
    pair.client.resume();
  }
  t.equal(text.join(''), `${'a'.repeat(20_000)}${'b'.repeat(20_000)}`);
  await near.until(() => near.ended);
  pair.client.end();
  t.equal(await near.close(), undefined);
  t.equal(await far.close(), undefined);
});

test('what was written before the handshake goes out before it', async t => {
  const heard = Promise.withResolvers<Buffer>();
  const listener = createServer(socket => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      if (all.length < 20) return;
      heard.resolve(all);
      socket.destroy();
    });
  });
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve));
  t.teardown(() => listener.close());
  const address = listener.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const channel = await engine.connect({ remote: { ip: '127.0.0.1', port }, timeoutMs: 5_000 });
  channel.write(Buffer.from('PROXY UNKNOWN'));
  const options = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
  await t.rejects(engine.secureClient(channel, client, options), 'nobody answers');
  t.equal(
    (await heard.promise).toString('latin1', 0, 16),
    'PROXY UNKNOWN\x16\x03\x01',
    'a ClientHello follows',
  );
});

test('a session is never resumed: every connection proves its identity', async t => {
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
    void engine
      .secureServer(channel, server, { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true })
      .then(c => {
        new ChannelRecorder(c);
        c.write(Buffer.from('hello'));
        c.end();
      });
  });
  const { certChainPem: cert, privateKeyPem: key, trustBundlePem } = clientMaterial;
  const attempt = (session: Buffer | undefined): Promise<{ session: Buffer | undefined; reused: boolean }> =>
    new Promise((resolve, reject) => {
      let latest: Buffer | undefined;
      let reused = false;
      const options = { host: '127.0.0.1', port: listener.address.port, cert, key, ca: trustBundlePem };
      const socket = tlsConnect({
        ...options,
        ALPNProtocols: ['h2'],
        checkServerIdentity: () => undefined,
        ...(session === undefined ? {} : { session }),
      });
      socket.on('session', s => (latest = s));
      socket.on('secureConnect', () => (reused = socket.isSessionReused()));
      socket.on('error', reject);
      socket.on('end', () => socket.end());
      socket.on('close', () => resolve({ session: latest, reused }));
      socket.resume();
    });
  const first = await attempt(undefined);
  const second = await attempt(first.session);
  // The native engine gives out no ticket at all; what the runtime gives out it does not take back.
  t.equal(first.session === undefined, engine.name === 'native');
  t.equal(second.reused, false);
  await listener.close();
});

test('refused, with the reason', async t => {
  const other = await createTestCa('other');
  const context = async (material: ReturnType<typeof ca.issue>) => engine.createTlsContext(await material);
  const rows = [
    {
      name: 'a client of another CA',
      options: { client: await context(other.issueTrustingOther(CLIENT_ID, ca)), server },
      says: /TLS handshake from .*the peer's certificate is not trusted/,
      side: 1,
    },
    {
      name: 'a server of another CA',
      options: { client, server: await context(other.issueTrustingOther(SERVER_ID, ca)) },
      says: /TLS handshake with /,
      side: 0,
    },
    {
      name: 'a client with an expired certificate, which it does not even try to use',
      options: { client: await context(ca.issueExpired(CLIENT_ID)), server },
      says: /our own certificate expired at/,
      side: 0,
    },
    {
      name: 'a server whose certificate is not valid yet',
      options: { client, server: await context(ca.issueNotYetValid(SERVER_ID)) },
      says: /our own certificate is not valid before/,
      side: 1,
    },
  ];
  for (const row of rows) t.match((await failures(row.options))[row.side], row.says, row.name);
});

test('the clock that counts is the injected one', async t => {
  for (const side of ['client', 'server'] as const) {
    const clock = new FakeClock(Date.now());
    const ahead = createTestEngine({ clock });
    clock.jumpWallClock(48 * HOUR_MS);
    const { client: a, server: b } = await tcpPair(ahead);
    const tls = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
    // The other side's clock is right: it is this side that must refuse.
    const fresh = ahead.createTlsContext(
      await ca.issue(CLIENT_ID, { notAfterMs: Date.now() + 96 * HOUR_MS }),
    );
    const results = await Promise.allSettled(
      side === 'client'
        ? [ahead.secureClient(a, fresh, tls), engine.secureServer(b, server, tls)]
        : [ahead.secureServer(b, fresh, tls), engine.secureClient(a, client, tls)],
    );
    const [own, others] = results;
    t.match(own?.status === 'rejected' ? String(own.reason) : '', /the peer's certificate expired/, side);
    await cut(others);
    t.equal(clock.pendingTimers, 0);
  }
});

test('a peer that was seen before is checked as one that was not', async t => {
  const other = await createTestCa('other');
  const stranger = engine.createTlsContext(await other.issueTrustingOther(CLIENT_ID, ca));
  for (let i = 0; i < 3; i++) {
    const pair = await tlsPair(engine, { client, server });
    t.same(pair.server.peerUris, [CLIENT_ID]);
    t.same(pair.client.peerUris, [SERVER_ID]);
    await finish(pair.client, pair.server);
    t.match((await failures({ client: stranger, server }))[1], /the peer's certificate is not trusted/);
  }
  // The same certificates, to one who trusts another authority.
  const elsewhere = engine.createTlsContext(await ca.issueTrustingOther(SERVER_ID, other));
  t.match((await failures({ client, server: elsewhere }))[1], /the peer's certificate is not trusted/);
});

test('a peer that was seen before is refused once its certificate has expired', async t => {
  const clock = new FakeClock(Date.now());
  const later = createTestEngine({ clock });
  const lasting = { notAfterMs: Date.now() + 96 * HOUR_MS };
  const contexts = {
    client: later.createTlsContext(clientMaterial),
    server: later.createTlsContext(await ca.issue(SERVER_ID, lasting)),
  };
  const pair = await tlsPair(later, contexts);
  await finish(pair.client, pair.server);
  clock.jumpWallClock(48 * HOUR_MS);
  const { client: a, server: b } = await tcpPair(later);
  const tls = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
  // The client's own engine has the right clock, and lets it try.
  const [others, own] = await Promise.allSettled([
    engine.secureClient(a, client, tls),
    later.secureServer(b, contexts.server, tls),
  ]);
  t.match(own?.status === 'rejected' ? String(own.reason) : '', /the peer's certificate expired/);
  await cut(others);
  t.equal(clock.pendingTimers, 0);
});

test('a peer that speaks another protocol, or none, is refused', async t => {
  const plain = await tlsHandshakes(engine, { client, server, alpn: ['h2'] });
  t.equal(plain[0].status, 'fulfilled');
  if (plain[0].status === 'fulfilled' && plain[1].status === 'fulfilled')
    await finish(plain[0].value, plain[1].value);

  const { client: a, server: b } = await tcpPair(engine);
  const results = await Promise.allSettled([
    engine.secureClient(a, client, { alpn: [], timeoutMs: 5_000, verifyPeer: true }),
    engine.secureServer(b, server, { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true }),
  ]);
  t.match(String(results[1].status === 'rejected' && results[1].reason), /none of the protocols h2/);
  await cut(results[0]);
});

test('bytes that are not TLS, and a peer that hangs up, fail the handshake', async t => {
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '']) {
    const outcome = Promise.withResolvers<unknown>();
    const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
      engine
        .secureServer(channel, server, { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true })
        .then(outcome.resolve, outcome.resolve);
    });
    const socket = connect(listener.address.port, '127.0.0.1', () => socket.end(bytes));
    const closed = new Promise(resolve => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    t.match(await outcome.promise, { code: 'tls_handshake' });
    await closed;
    await listener.close();
  }
});

test('a handshake that does not end is ended at its deadline', async t => {
  const clock = new FakeClock(Date.now());
  const slow = createTestEngine({ clock });
  const { client: a, server: b } = await tcpPair(slow);
  const silent = new ChannelRecorder(a);
  const outcome = slow.secureServer(b, server, { alpn: ['h2'], timeoutMs: 1_000, verifyPeer: true });
  clock.advance(1_000);
  await t.rejects(outcome, { code: 'timeout' });
  await silent.until(() => silent.ended || silent.closed);
  a.end();
  await silent.close();
  t.equal(clock.pendingTimers, 0);
  t.equal(slow.handshakes.server.active, 0);
});

test('handshakes beyond the limit wait, beyond the queue they are refused', async t => {
  const clock = new FakeClock(Date.now());
  const small = createTestEngine({ clock, maxActiveHandshakes: 1, maxWaitingHandshakes: 1 });
  const pairs = await Promise.all([tcpPair(small), tcpPair(small), tcpPair(small)]);
  const silent = pairs.map(p => new ChannelRecorder(p.client));
  const outcomes = pairs.map(p =>
    small
      .secureServer(p.server, server, { alpn: ['h2'], timeoutMs: 1_000, verifyPeer: true })
      .then(() => 'accepted')
      .catch((e: ChannelError) => e.code),
  );
  t.equal(await outcomes[2], 'resource_exhausted');
  t.match(small.handshakes.server, { active: 1, waiting: 1, startedTotal: 1, rejectedTotal: 1 });
  clock.advance(1_000);
  t.same(await Promise.all(outcomes), ['timeout', 'timeout', 'resource_exhausted']);
  t.match(small.handshakes, {
    client: { startedTotal: 0 },
    server: { active: 0, waiting: 0, okTotal: 0, failedTotal: 2, rejectedTotal: 1 },
  });
  for (const recorder of silent) {
    recorder.channel.end();
    await recorder.close();
  }
});

test('strangers who connect and say nothing do not keep us from connecting to others', async t => {
  const clock = new FakeClock(Date.now());
  const small = createTestEngine({ clock, maxActiveHandshakes: 1, maxWaitingHandshakes: 1 });
  const stranger = await tcpPair(small);
  const silent = new ChannelRecorder(stranger.client);
  const stalled = small
    .secureServer(stranger.server, server, { alpn: ['h2'], timeoutMs: 1_000, verifyPeer: true })
    .catch((e: ChannelError) => e.code);
  const { client: a, server: b } = await tcpPair(small);
  const tls = { alpn: ['h2'], timeoutMs: 1_000, verifyPeer: true };
  // The other end is a process of its own, with places of its own.
  const both = await Promise.all([small.secureClient(a, client, tls), engine.secureServer(b, server, tls)]);
  const ends = both.map(channel => new ChannelRecorder(channel));
  for (const end of ends) end.channel.end();
  await Promise.all(ends.map(end => end.close()));
  clock.advance(1_000);
  t.equal(await stalled, 'timeout');
  silent.channel.end();
  await silent.close();
});

test('material that cannot work is refused when it is loaded', async t => {
  const good = await ca.issue(CLIENT_ID);
  const another = await ca.issue(CLIENT_ID);
  const rows = [
    [{ ...good, certChainPem: '' }, /holds no certificate/],
    [{ ...good, trustBundlePem: 'none' }, /nobody could be verified/],
    [{ ...good, privateKeyPem: another.privateKeyPem }, /does not belong to the leaf/],
    [{ ...good, privateKeyPem: 'x' }, /private key does not parse/],
    [
      { ...good, certChainPem: good.certChainPem.replace(/MII/, 'AAA') },
      /certificate 0 of the chain does not parse/,
    ],
  ] as const;
  for (const [material, says] of rows) t.throws(() => engine.createTlsContext(material), { message: says });
});
