import { createHash, randomBytes } from 'node:crypto';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { ChannelRecorder, tcpPair, tlsPair } from '../testing/loopback.ts';
import { createTestCa } from '../testing/test-ca.ts';
import { type ByteChannel, ChannelError } from './channel.ts';
import { createTestEngine } from '../testing/engine.ts';

const engine = createTestEngine({ clock: systemClock });

async function securePair(): Promise<{ client: ByteChannel; server: ByteChannel }> {
  const ca = await createTestCa();
  const context = engine.createTlsContext(await ca.issue('spiffe://cluster.local/ns/a/sa/b'));
  return tlsPair(engine, { client: context, server: context });
}

const transports = [
  { name: 'TCP', pair: (): Promise<{ client: ByteChannel; server: ByteChannel }> => tcpPair(engine) },
  { name: 'TLS', pair: securePair },
];

for (const { name, pair } of transports) {
  test(`${name}: bytes arrive in order, whatever way they were written`, async t => {
    const { client, server } = await pair();
    const a = new ChannelRecorder(client);
    const b = new ChannelRecorder(server);
    const reused = Buffer.from('xx');
    for (let i = 10; i < 60; i++) {
      reused.write(String(i), 'latin1');
      client.write(reused);
    }
    client.writeOwned(Buffer.alloc(200_000, 'z'));
    client.write(Buffer.from('end'));
    client.end();
    await b.until(() => b.ended);
    const expected = Array.from({ length: 50 }, (_, i) => String(i + 10)).join('');
    t.equal(b.text, `${expected}${'z'.repeat(200_000)}end`);
    server.end();
    t.equal(await a.close(), undefined);
    t.equal(await b.close(), undefined);
  });

  test(`${name}: a half-close leaves the other direction open`, async t => {
    const { client, server } = await pair();
    const a = new ChannelRecorder(client);
    const b = new ChannelRecorder(server);
    client.write(Buffer.from('question'));
    client.end();
    await b.until(() => b.ended);
    server.write(Buffer.from('answer'));
    await a.received(6);
    t.notOk(a.ended, 'the answering side is still open');
    t.equal(client.write(Buffer.from('late')), false, 'a write after end is ignored');
    server.end();
    t.equal(await a.close(), undefined);
    t.equal(await b.close(), undefined);
    t.equal(a.text, 'answer');
    t.equal(b.text, 'question');
  });

  test(`${name}: an abort reports its reason here and a reset there`, async t => {
    const { client, server } = await pair();
    const a = new ChannelRecorder(client);
    const b = new ChannelRecorder(server);
    client.write(Buffer.from('x'));
    await b.received(1);
    client.abort(new ChannelError('policy', 'cut'));
    client.abort(new ChannelError('io', 'again'));
    t.equal((await a.close())?.code, 'policy');
    t.equal((await b.close())?.code, 'reset');
  });

  test(`${name}: a receiver that pauses bounds what the sender can queue, and loses nothing`, async t => {
    const { client, server } = await pair();
    const a = new ChannelRecorder(client);
    const b = new ChannelRecorder(server);
    const sent = createHash('sha256');
    const got = createHash('sha256');
    b.onSlice = slice => void got.update(slice);
    server.pause();
    const block = randomBytes(100_000);
    let total = 0;
    const fill = (): void => {
      for (let more = true; more && total < 30_000_000; total += block.length) {
        block.writeUInt32BE(total, 0);
        sent.update(block);
        more = client.write(block);
      }
    };
    fill();
    t.ok(client.bufferedBytes < 1_000_000, 'stops at the high-water mark');
    t.equal(b.bytes, 0, 'a paused channel delivers nothing');
    server.resume();
    while (total < 30_000_000) {
      const drains = a.drains;
      await a.until(() => a.drains > drains || a.closed);
      fill();
    }
    client.end();
    await b.until(() => b.ended);
    t.equal(b.bytes, total);
    t.equal(got.digest('hex'), sent.digest('hex'));
    server.end();
    await Promise.all([a.close(), b.close()]);
    t.equal(client.bufferedBytes, 0);
  });

  test(`${name}: the end of the peer waits while the channel is paused`, async t => {
    const { client, server } = await pair();
    const a = new ChannelRecorder(client);
    const b = new ChannelRecorder(server);
    b.onSlice = () => server.pause();
    client.write(Buffer.from('last'));
    client.end();
    await b.received(4);
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
    t.notOk(b.ended, 'no end while paused');
    server.resume();
    await b.until(() => b.ended);
    server.end();
    await Promise.all([a.close(), b.close()]);
  });

  test(`${name}: addresses are those of the connection`, async t => {
    const { client, server } = await pair();
    const a = new ChannelRecorder(client);
    const b = new ChannelRecorder(server);
    t.same(client.localAddress, server.remoteAddress);
    t.same(client.remoteAddress, server.localAddress);
    t.equal(client.remoteAddress.ip, '127.0.0.1');
    client.end();
    server.end();
    await Promise.all([a.close(), b.close()]);
    t.same(client.localAddress, server.remoteAddress, 'also after the close');
  });
}

test('nothing is read before there is a handler', async t => {
  const { client, server } = await tcpPair(engine);
  const a = new ChannelRecorder(client);
  client.write(Buffer.from('early'));
  client.end();
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
  const b = new ChannelRecorder(server);
  await b.until(() => b.ended);
  t.equal(b.text, 'early');
  server.end();
  await Promise.all([a.close(), b.close()]);
});

test('writes of one turn leave together', async t => {
  const { client, server } = await tcpPair(engine);
  const a = new ChannelRecorder(client);
  const b = new ChannelRecorder(server);
  const slices: number[] = [];
  b.onSlice = slice => void slices.push(slice.length);
  for (let i = 0; i < 100; i++) client.write(Buffer.from('0123456789'));
  await b.received(1_000);
  t.same(slices, [1_000]);
  client.end();
  server.end();
  await Promise.all([a.close(), b.close()]);
});

test('a slice that is passed on behind a header is not changed for who reads it after', async t => {
  const { client, server } = await tcpPair(engine);
  const next = await securePair();
  const a = new ChannelRecorder(client);
  const b = new ChannelRecorder(server);
  const c = new ChannelRecorder(next.client);
  const d = new ChannelRecorder(next.server);
  const block = randomBytes(100_000);
  let seen = Buffer.alloc(0);
  b.onSlice = slice => {
    const before = Buffer.from(slice);
    for (let at = 0; at < slice.length; at += 40_000) {
      next.client.write(Buffer.from('[header]'));
      next.client.write(slice.subarray(at, at + 40_000));
    }
    t.ok(slice.equals(before), 'another reader finds what came');
    seen = Buffer.concat([seen, before]);
  };
  client.write(block);
  await b.received(block.length);
  t.ok(seen.equals(block));
  next.client.end();
  await d.until(() => d.ended);
  t.equal(d.text.replaceAll('[header]', ''), block.toString('latin1'));
  for (const channel of [client, server, next.server]) channel.end();
  await Promise.all([a.close(), b.close(), c.close(), d.close()]);
});
