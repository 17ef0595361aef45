import { randomInt } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { type Test, test } from 'tap';
import { ChannelError } from '#shared/engine/channel.ts';
import { createTestEngine } from '#shared/testing/engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { plainDialer } from './dialer.ts';

const subnet = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`;
const [clientIp, serverIp] = [`${subnet}.1`, `${subnet}.2`];
const engine = createTestEngine({ clock: systemClock, onAcceptError: () => undefined });

/** A server that resolves `client` with the address its first connection comes from. */
async function listener(t: Test, host: string): Promise<{ port: number; client: Promise<string> }> {
  const server = createServer();
  const client = new Promise<string>(resolve =>
    server.on('connection', socket => {
      resolve(socket.remoteAddress ?? '');
      socket.on('error', () => undefined).resume();
    }),
  );
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  t.teardown(() => new Promise<void>(resolve => server.close(() => resolve())));
  const address: AddressInfo | string | null = server.address();
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, client };
}

function dialer(originalSource: boolean) {
  return plainDialer({
    engine,
    connectTimeoutMs: 2_000,
    tunnelCongestion: undefined,
    localIps: [serverIp],
    originalSource,
  });
}

test('which address the application of a dedicated ztunnel sees', async t => {
  const rows: [sentence: string, originalSource: boolean, source: string, seen: string][] = [
    ["the client's own, of the loopback range", true, clientIp, clientIp],
    ["the workload's, when it is not asked for", false, clientIp, serverIp],
    ["the workload's, for a client that no answer would reach", true, '203.0.113.7', serverIp],
    ["the workload's, for a client of the other family", true, '::1', serverIp],
  ];
  for (const [sentence, originalSource, source, seen] of rows) {
    const { port, client } = await listener(t, serverIp);
    const channel = await dialer(originalSource).dialApplication({ ip: serverIp, port }, source);
    t.equal(await client, seen, sentence);
    channel.abort(new ChannelError('aborted', 'end of the test'));
  }
});

test('peers see the address of the workload', async t => {
  const { port, client } = await listener(t, clientIp);
  const channel = await dialer(true).dial({ ip: clientIp, port });
  t.equal(await client, serverIp);
  channel.abort(new ChannelError('aborted', 'end of the test'));
});
