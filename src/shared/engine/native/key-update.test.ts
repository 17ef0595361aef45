import { DynamicLibrary } from 'node:ffi';
import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { systemClock } from '../../lifecycle/clock.ts';
import { offerOf } from '../../native/alpn.ts';
import { stepHandshake } from '../../native/handshake-callbacks.ts';
import { NativeMemory } from '../../native/native-memory.ts';
import { openssl } from '../../native/openssl.ts';
import { closeFd, openTcpSocket } from '../../native/socket.ts';
import { pendingError, startConnect } from '../../native/stream-socket.ts';
import { ChannelRecorder } from '../../testing/loopback.ts';
import { createTestCa } from '../../testing/test-ca.ts';
import type { SecureChannel } from '../engine.ts';
import { createSharedNativeEngine } from './native-engine.ts';
import { createNativeTlsContext, type NativeTlsContext } from './tls-context.ts';

/** include/openssl/ssl.h */
const SSL_KEY_UPDATE_REQUESTED = 1;
const VERIFY_NONE = 0;

const keyUpdate = new DynamicLibrary(null).getFunctions({
  SSL_key_update: { arguments: ['pointer', 'i32'], return: 'i32' },
});
const engine = createSharedNativeEngine({ clock: systemClock });
const material = await (await createTestCa()).issue('spiffe://cluster.local/ns/shop/sa/client');

/** A peer in OpenSSL's own words, which reads when the test says so. */
class Peer {
  readonly #ssl: bigint;
  readonly #fd = openTcpSocket(4);
  readonly #memory = new NativeMemory(64 * 1024);

  constructor(context: NativeTlsContext) {
    const ssl = openssl();
    this.#ssl = ssl.SSL_new(context.handle.pointer);
    ssl.SSL_set_fd(this.#ssl, this.#fd);
    ssl.SSL_set_connect_state(this.#ssl);
    ssl.SSL_set_verify(this.#ssl, VERIFY_NONE, 0n);
    const offer = offerOf(['h2']);
    ssl.SSL_set_alpn_protos(this.#ssl, offer.address, offer.size);
  }

  async connect(port: number): Promise<void> {
    startConnect(this.#fd, { ip: '127.0.0.1', port });
    while (stepHandshake(this.#ssl, { alpn: [], verifier: undefined }) !== 1) {
      if (pendingError(this.#fd) !== 0) throw new Error('no connection');
      await turn();
    }
  }

  asksForNewKeys(): void {
    keyUpdate.SSL_key_update(this.#ssl, SSL_KEY_UPDATE_REQUESTED);
  }

  async write(text: string): Promise<void> {
    const bytes = new NativeMemory(text.length);
    bytes.bytes.write(text);
    while (openssl().SSL_write(this.#ssl, bytes.address, text.length) <= 0) await turn();
  }

  async read(length: number): Promise<Buffer> {
    const whole = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const count = openssl().SSL_read(
        this.#ssl,
        this.#memory.address,
        Math.min(length - at, this.#memory.size),
      );
      if (count > 0) at += this.#memory.bytes.copy(whole, at, 0, count);
      else await turn();
    }
    return whole;
  }

  close(): void {
    openssl().SSL_free(this.#ssl);
    closeFd(this.#fd);
  }
}

async function connected(): Promise<{ peer: Peer; receiver: ChannelRecorder; close: () => Promise<void> }> {
  const accepted = Promise.withResolvers<SecureChannel>();
  const context = createNativeTlsContext(material);
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
    const options = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
    engine.secureServer(channel, context, options).then(accepted.resolve, accepted.reject);
  });
  const peer = new Peer(context);
  await peer.connect(listener.address.port);
  const receiver = new ChannelRecorder(await accepted.promise);
  await listener.close();
  return {
    peer,
    receiver,
    close: async () => {
      peer.close();
      await receiver.close();
    },
  };
}

test('a peer that asks for new keys gets them, and both directions go on', async t => {
  const { peer, receiver, close } = await connected();
  await peer.write('before ');
  peer.asksForNewKeys();
  await peer.write('after');
  await receiver.received(12);
  t.equal(receiver.text, 'before after');
  receiver.channel.write(Buffer.from('answer'));
  t.equal((await peer.read(6)).toString(), 'answer', 'what we write is under the new keys');
  await close();
});

test('while our direction is stopped, by a peer that does not read, new keys wait for what is before them', async t => {
  const { peer, receiver, close } = await connected();
  const bytes = randomBytes(16 * 1024 * 1024);
  for (let at = 0; at < bytes.length; at += 64 * 1024)
    receiver.channel.write(bytes.subarray(at, at + 64 * 1024));
  await turn();
  t.ok(receiver.channel.bufferedBytes > 0, 'the socket is full');
  for (let i = 0; i < 3; i++) {
    peer.asksForNewKeys();
    await peer.write('again ');
  }
  await receiver.received(18);
  t.equal(receiver.text, 'again again again ', 'the other direction goes on meanwhile');
  const end = Buffer.from('the end');
  receiver.channel.write(end);
  const got = await peer.read(bytes.length + end.length);
  t.ok(got.equals(Buffer.concat([bytes, end])), 'every byte arrives, in order');
  await close();
});
