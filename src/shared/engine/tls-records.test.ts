import { once } from 'node:events';
import { connect } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { createTestEngine } from '../testing/engine.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { createTestCa } from '../testing/test-ca.ts';
import type { SecureChannel } from './engine.ts';

const engine = createTestEngine({ clock: systemClock });
const ca = await createTestCa();
const material = await ca.issue('spiffe://cluster.local/ns/shop/sa/client');
const TURNS = 5;

interface Sender {
  readonly receiver: ChannelRecorder;
  /** The records of these bytes as they would leave. */
  encrypt(text: string): Promise<Buffer>;
  /** Leaves at once and is told of by the kernel as one piece. */
  send(ciphertext: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** A TLS client of the runtime whose bytes reach the engine's server in pieces of the test's choice. */
async function senderOfPieces(): Promise<Sender> {
  const accepted = Promise.withResolvers<SecureChannel>();
  const context = engine.createTlsContext(material);
  const tls = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
    engine.secureServer(channel, context, tls).then(accepted.resolve, accepted.reject);
  });
  const socket = connect({ host: '127.0.0.1', port: listener.address.port, noDelay: true });
  const [inner, wire] = duplexPair();
  socket.on('data', bytes => wire.write(bytes));
  const forward = (bytes: Buffer): void => void socket.write(bytes);
  wire.on('data', forward);
  const { certChainPem: cert, privateKeyPem: key, trustBundlePem } = material;
  const identity = {
    cert,
    key,
    ca: trustBundlePem,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
  };
  const client = tlsConnect({ socket: inner, ...identity });
  const receiver = new ChannelRecorder(await accepted.promise);
  wire.off('data', forward);
  return {
    receiver,
    async encrypt(text) {
      const pieces: Buffer[] = [];
      const keep = (bytes: Buffer): void => void pieces.push(bytes);
      wire.on('data', keep);
      await new Promise(resolve => client.write(text, resolve));
      wire.off('data', keep);
      return Buffer.concat(pieces);
    },
    async send(ciphertext) {
      socket.write(ciphertext);
      for (let i = 0; i < TURNS; i++) await new Promise(resolve => setImmediate(resolve));
    },
    async close() {
      client.destroy();
      wire.destroy();
      const closed = once(socket, 'close');
      socket.resetAndDestroy();
      await Promise.all([closed, receiver.close()]);
      await listener.close();
    },
  };
}

const rows: { name: string; cut: (first: Buffer, second: Buffer) => readonly Buffer[] }[] = [
  { name: 'each by itself', cut: (first, second) => [first, second] },
  { name: 'both at once', cut: (first, second) => [Buffer.concat([first, second])] },
  {
    name: 'one in two pieces, the second of which brings the next record along',
    cut: (first, second) => [first.subarray(0, 20), Buffer.concat([first.subarray(20), second])],
  },
  {
    name: 'cut behind its header',
    cut: (first, second) => [first.subarray(0, 5), Buffer.concat([first.subarray(5), second])],
  },
  {
    name: 'cut within its header',
    cut: (first, second) => [first.subarray(0, 3), Buffer.concat([first.subarray(3), second])],
  },
];

for (const { name, cut } of rows) {
  test(`records arrive, ${name}`, async t => {
    const sender = await senderOfPieces();
    for (let i = 0; i < 3; i++) {
      const text = [`first ${'x'.repeat(500)}`, `second ${i}`] as const;
      const before = sender.receiver.bytes;
      for (const piece of cut(await sender.encrypt(text[0]), await sender.encrypt(text[1])))
        await sender.send(piece);
      await sender.receiver.received(before + text.join('').length);
      t.ok(sender.receiver.text.endsWith(text.join('')));
    }
    await sender.close();
  });
}
