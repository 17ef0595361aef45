import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { systemClock } from '../../lifecycle/clock.ts';
import { OpensslPeer } from '../../native/testing/openssl-peer.ts';
import { ChannelRecorder } from '../../testing/loopback.ts';
import { createTestCa } from '../../testing/test-ca.ts';
import type { SecureChannel } from '../engine.ts';
import { createSharedNativeEngine } from './native-engine.ts';
import { createNativeTlsContext } from './tls-context.ts';

const engine = createSharedNativeEngine({ clock: systemClock });
const material = await (await createTestCa()).issue('spiffe://cluster.local/ns/shop/sa/client');

async function connected(): Promise<{
  peer: OpensslPeer;
  receiver: ChannelRecorder;
  close: () => Promise<void>;
}> {
  const accepted = Promise.withResolvers<SecureChannel>();
  const context = createNativeTlsContext(material);
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
    const options = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
    engine.secureServer(channel, context, options).then(accepted.resolve, accepted.reject);
  });
  const peer = new OpensslPeer(context.handle);
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
