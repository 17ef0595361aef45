import { once } from 'node:events';
import { connect } from 'node:net';
import { duplexPair } from 'node:stream';
import { createServer, connect as tlsConnect } from 'node:tls';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { createTestEngine } from '../testing/engine.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { RecordWriter, trafficSecret } from '../testing/record-writer.ts';
import { createTestCa } from '../testing/test-ca.ts';
import { ChannelError } from './channel.ts';
import type { SecureChannel } from './engine.ts';
import { ChannelDuplex } from './node/channel-duplex.ts';

const engine = createTestEngine({ clock: systemClock });
const ca = await createTestCa();
const material = await ca.issue('spiffe://cluster.local/ns/shop/sa/client', { serverNames: ['api.example'] });
const { certChainPem: cert, privateKeyPem: key, trustBundlePem } = material;
const ciphers = 'TLS_AES_128_GCM_SHA256';
/** What OpenSSL sends behind the handshake of a server. */
const TICKETS_OF_A_SERVER = 2;
const LIMIT = 32;
/** RFC 8446 §5.1 */
const HEADER_BYTES = 5;
/** More than the steps that a session may owe. */
const RECORDS_APART = 600;
const GREETING = 'hello ';
const OVER = new ChannelError('aborted', 'the test is over');

interface Peer {
  readonly receiver: ChannelRecorder;
  readonly writer: RecordWriter;
  readonly send: (records: readonly Buffer[]) => void;
  readonly close: () => Promise<void>;
}

/** Its records reach the engine's server through a socket. */
async function clientOverTcp(): Promise<Peer> {
  const accepted = Promise.withResolvers<SecureChannel>();
  const context = engine.createTlsContext(material);
  const options = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
    engine.secureServer(channel, context, options).then(accepted.resolve, accepted.reject);
  });
  const socket = connect({ host: '127.0.0.1', port: listener.address.port, noDelay: true });
  socket.on('error', () => {});
  const [inner, wire] = duplexPair();
  wire.on('data', (bytes: Buffer) => socket.write(bytes));
  socket.on('data', (bytes: Buffer) => wire.write(bytes));
  const checkServerIdentity = (): undefined => undefined;
  const identity = { cert, key, ca: trustBundlePem, ALPNProtocols: ['h2'], checkServerIdentity };
  const client = tlsConnect({ socket: inner, ciphers, ...identity });
  client.on('error', () => {});
  const secret = trafficSecret(client, 'CLIENT');
  const receiver = new ChannelRecorder(await accepted.promise);
  const writer = new RecordWriter(await secret, 0);
  socket.write(writer.data(GREETING));
  await receiver.received(GREETING.length);
  return {
    receiver,
    writer,
    send: records => void socket.write(Buffer.concat(records)),
    close: async () => {
      receiver.channel.abort(OVER);
      client.destroy();
      wire.destroy();
      socket.resetAndDestroy();
      await receiver.close();
      await listener.close();
    },
  };
}

/** Its records reach the engine's client through a byte channel. */
async function serverOverChannel(): Promise<Peer> {
  const { left, right } = memoryChannelPair({ auto: true });
  const server = createServer({ cert, key, ciphers });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', socket => socket.on('error', () => {}));
  const secret = trafficSecret(server, 'SERVER');
  const secured = once(server, 'secureConnection');
  server.emit('connection', new ChannelDuplex(right, systemClock));
  const trust = { trustedRootsPem: ca.rootPem, revocationListsPem: '', client: undefined };
  const named = { serverName: 'api.example', names: ['api.example'] };
  const options = { alpn: [], timeoutMs: 5_000, verifyPeer: true, server: named };
  const context = engine.createForeignTlsContext(trust);
  const channel = await engine.secureClientOver(left, context, options, left.remoteAddress);
  const receiver = new ChannelRecorder(channel);
  await secured;
  await turns();
  const writer = new RecordWriter(await secret, TICKETS_OF_A_SERVER);
  // Its tickets count, up to the first data.
  right.write(writer.data(GREETING));
  await receiver.received(GREETING.length);
  return {
    receiver,
    writer,
    send: records => void right.write(Buffer.concat(records)),
    close: async () => {
      channel.abort(OVER);
      await receiver.close();
    },
  };
}

const peers: Readonly<Record<string, () => Promise<Peer>>> = {
  'a client, over TCP': clientOverTcp,
  'a server, over a tunnel': serverOverChannel,
};

type Kind = (writer: RecordWriter) => Buffer;
const empty: Kind = writer => writer.data('');
const newKeys: Kind = writer => writer.keyUpdate();
const asksForKeys: Kind = writer => writer.keyUpdate(true);
const ticket: Kind = writer => writer.tickets(1);

function several(count: number, kind: Kind, writer: RecordWriter): Buffer[] {
  return Array.from({ length: count }, () => kind(writer));
}

/** Until nothing more comes of what was sent. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve));
}

/** The runtime's own TLS hides what brings no data, and bounds empty records alone. */
const isBounded = engine.name === 'native';

interface Row {
  readonly name: string;
  readonly kind: Kind;
  readonly error: RegExp;
  readonly skip?: boolean;
}

const rows: readonly Row[] = [
  { name: 'empty records', kind: empty, error: /record too small/i },
  { name: 'changes of keys', kind: newKeys, error: /hardly any data/, skip: !isBounded },
  {
    name: 'changes of keys that ask for ours',
    kind: asksForKeys,
    error: /hardly any data/,
    skip: !isBounded,
  },
];

for (const [who, connected] of Object.entries(peers)) {
  for (const { name, kind, error, skip = false } of rows) {
    test(`${who}: as many ${name} as are borne, again and again, with data in between`, async t => {
      const { receiver, writer, send, close } = await connected();
      for (let i = 1; i <= 3; i++) {
        send([...several(LIMIT, kind, writer), writer.data(`data ${i} `)]);
        await receiver.received(GREETING.length + i * 7);
      }
      t.equal(receiver.text, `${GREETING}data 1 data 2 data 3 `);
      await close();
    });

    test(`${who}: one of ${name} too many, in one piece`, { skip }, async t => {
      const { receiver, writer, send, close } = await connected();
      send([writer.data('before'), ...several(LIMIT + 1, kind, writer), writer.data('behind')]);
      const closed = await receiver.close();
      t.equal(closed?.code, 'tls_alert');
      t.match(closed?.message, error);
      t.equal(receiver.text, `${GREETING}before`);
      await close();
    });

    test(`${who}: one of ${name} too many, each by itself`, { skip }, async t => {
      const { receiver, writer, send, close } = await connected();
      for (let i = 0; i < LIMIT; i++) {
        send([kind(writer)]);
        await turns();
      }
      t.notOk(receiver.closed);
      send([kind(writer)]);
      t.match((await receiver.close())?.message, error);
      await close();
    });

    test(`${who}: one of ${name} too many, each with the header of the next`, { skip }, async t => {
      const { receiver, writer, send, close } = await connected();
      const bytes = Buffer.concat(several(LIMIT + 2, kind, writer));
      const recordBytes = bytes.length / (LIMIT + 2);
      send([bytes.subarray(0, HEADER_BYTES)]);
      for (let i = 0; i <= LIMIT; i++) {
        t.notOk(receiver.closed);
        const from = HEADER_BYTES + i * recordBytes;
        send([bytes.subarray(from, from + recordBytes)]);
        await turns();
      }
      t.match((await receiver.close())?.message, error);
      await close();
    });
  }

  test(`${who}: a record that comes in many pieces is none without data`, async t => {
    const { receiver, writer, send, close } = await connected();
    const record = writer.data('x'.repeat(100));
    for (const byte of record) {
      send([Buffer.from([byte])]);
      await turns();
    }
    await receiver.received(GREETING.length + 100);
    t.notOk(receiver.closed);
    await close();
  });

  test(`${who}: a header that comes before the rest of its record is none without data, however often`, async t => {
    const { receiver, writer, send, close } = await connected();
    for (let i = 0; i < RECORDS_APART && !receiver.closed; i++) {
      const record = writer.data('x');
      for (const part of [record.subarray(0, HEADER_BYTES), record.subarray(HEADER_BYTES)]) {
        send([part]);
        await turns();
      }
    }
    t.notOk(receiver.closed);
    await receiver.received(GREETING.length + RECORDS_APART);
    await close();
  });
}

test('a server, over a tunnel: one ticket too many', { skip: !isBounded }, async t => {
  const { receiver, writer, send, close } = await serverOverChannel();
  send([...several(LIMIT, ticket, writer), writer.data('data')]);
  await receiver.received(GREETING.length + 4);
  send(several(LIMIT, ticket, writer));
  await turns();
  t.notOk(receiver.closed);
  send([ticket(writer)]);
  t.match((await receiver.close())?.message, /hardly any data/);
  await close();
});

test('a server, over a tunnel: many tickets in one record', { skip: !isBounded }, async t => {
  const { receiver, writer, send, close } = await serverOverChannel();
  send([writer.tickets(LIMIT)]);
  await turns();
  send([writer.data('data')]);
  await receiver.received(GREETING.length + 4);
  send([writer.tickets(3 * LIMIT), writer.data('behind')]);
  t.match((await receiver.close())?.message, /hardly any data/);
  t.equal(receiver.text, `${GREETING}data`);
  await close();
});
