import { createSecureContext, TLSSocket } from 'node:tls';
import { test } from 'tap';
import { createTestEngine } from '../testing/engine.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { type MemoryChannel, memoryChannelPair } from '../testing/memory-channel.ts';
import { createTestCa } from '../testing/test-ca.ts';
import { LINGER_MS } from './close-gently.ts';
import type { SecureChannel } from './engine.ts';
import { ChannelDuplex } from './node/channel-duplex.ts';

const clock = new FakeClock(Date.now());
const faults: string[] = [];
const engine = createTestEngine({ clock, onAcceptError: error => void faults.push(error.message) });
const ca = await createTestCa();
const material = await ca.issue('spiffe://cluster.local/ns/a/sa/b', { serverNames: ['api.example'] });
const secureContext = createSecureContext({ cert: material.certChainPem, key: material.privateKeyPem });

interface Connected {
  readonly channel: SecureChannel;
  readonly server: TLSSocket;
  /** Of the channel below, at the server. */
  readonly far: MemoryChannel;
}

async function connect(): Promise<Connected> {
  const { left, right } = memoryChannelPair({ auto: true });
  const server = new TLSSocket(new ChannelDuplex(right, clock), { isServer: true, secureContext });
  server.on('error', () => {});
  const context = engine.createForeignTlsContext({
    trustedRootsPem: ca.rootPem,
    revocationListsPem: '',
    client: undefined,
  });
  const named = { serverName: 'api.example', names: ['api.example'] };
  const options = { alpn: [], timeoutMs: 5_000, verifyPeer: true, server: named };
  const channel = await engine.secureClientOver(left, context, options, left.remoteAddress);
  return { channel, server, far: right };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
}

test('addresses are those of the channel below', async t => {
  const { channel, far, server } = await connect();
  t.same(channel.localAddress, far.remoteAddress);
  t.same(channel.remoteAddress, far.localAddress);
  const recorder = new ChannelRecorder(channel);
  server.end('bye');
  await recorder.until(() => recorder.ended);
  channel.end();
  t.equal(await recorder.close(), undefined);
  t.equal(recorder.text, 'bye');
});

test('when both sides have ended TLS, a channel below that the peer leaves open is aborted', async t => {
  const { channel, far, server } = await connect();
  // What ends is TLS alone.
  far.end = () => {};
  const recorder = new ChannelRecorder(channel);
  server.resume().end('bye');
  await recorder.until(() => recorder.ended);
  channel.end();
  await turns();
  t.notOk(far.closed);
  clock.advance(LINGER_MS);
  t.equal(await recorder.close(), undefined, 'TLS has ended in order');
  await turns();
  t.ok(far.closed);
  t.equal(clock.pendingTimers, 0);
});

test('a receiver that throws costs its own connection', { skip: engine.name !== 'native' }, async t => {
  const { channel, server } = await connect();
  const closed = Promise.withResolvers<unknown>();
  channel.setHandler({
    onData() {
      throw new Error('not my day');
    },
    onEnd() {},
    onDrain() {},
    onClose: closed.resolve,
  });
  server.write('hello');
  t.match(await closed.promise, { code: 'io', message: 'internal error on a connection: not my day' });
  t.same(faults, ['internal error on a connection: not my day']);
});
