import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { systemClock } from '../../lifecycle/clock.ts';
import { setOption } from '../../native/stream-socket.ts';
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
    // All that a test lets a peer write comes in one piece.
    setOption(channel.fd, 'receiveBuffer', 4 * 1024 * 1024);
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

test('what one connection answers to new keys goes to nobody else', async t => {
  const one = await connected();
  const other = await connected();
  one.peer.asksForNewKeysNow();
  one.peer.asksForNewKeysNow();
  await one.peer.write('data');
  await one.receiver.received(4);
  other.receiver.channel.write(Buffer.from('to the other'));
  t.equal((await other.peer.read(12)).toString(), 'to the other');
  one.receiver.channel.write(Buffer.from('to the one'));
  t.equal((await one.peer.read(10)).toString(), 'to the one');
  await one.close();
  await other.close();
});

/** It makes up for new keys. */
const DATA = 'x'.repeat(1024);

test('new keys are asked for again and again within what is read at once', async t => {
  const { peer, receiver, close } = await connected();
  receiver.channel.pause();
  const times = 200;
  for (let i = 0; i < times; i++) {
    if (!peer.asksForNewKeysNow()) throw new Error(`the socket took ${i}`);
    await peer.write(DATA);
  }
  // For the kernel, to bring more of them than a feed holds.
  for (let i = 0; i < 100; i++) await turn();
  receiver.channel.resume();
  await receiver.received(times * DATA.length);
  t.equal(receiver.text, DATA.repeat(times));
  receiver.channel.write(Buffer.from('answer'));
  t.equal((await peer.read(6)).toString(), 'answer');
  await close();
});

test('a peer that asks for new keys for ever, with hardly any data in between, is given up', async t => {
  const { peer, receiver } = await connected();
  for (let i = 0; !receiver.closed && i < 10_000; i++)
    if (!peer.asksForNewKeysNow() || !peer.writesNow('.')) await turn();
  t.match(await receiver.close(), { code: 'tls_alert', message: /hardly any data in between/ });
  peer.close();
});

test('a peer that asks for new keys for ever, and reads nothing, is given up', async t => {
  const { peer, receiver } = await connected();
  for (let i = 0; i < 256; i++) receiver.channel.write(randomBytes(64 * 1024));
  await turn();
  for (let i = 0; !receiver.closed && i < 100_000; i++) {
    const isTaken = i % 2 === 0 ? peer.asksForNewKeysNow() : peer.writesNow(DATA);
    if (!isTaken || i % 1_000 === 0) await turn();
  }
  t.ok(receiver.closed);
  t.match(receiver.error, { message: /reads no answer/ });
  peer.close();
});

test('new keys that are asked for after we have ended our direction', async t => {
  const { peer, receiver, close } = await connected();
  receiver.channel.end();
  await turn();
  for (let i = 0; i < 3; i++) peer.asksForNewKeysNow();
  await peer.write('still here');
  await receiver.received(10);
  t.equal(receiver.text, 'still here');
  await peer.write('!');
  await receiver.received(11);
  await close();
});

test('a peer that ends the connection within a record', async t => {
  const { peer, receiver } = await connected();
  peer.breaksOff();
  t.match(await receiver.close(), { code: 'reset', message: /without ending TLS/ });
  peer.close();
});
