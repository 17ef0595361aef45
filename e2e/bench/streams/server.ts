/** HBONE with echoes and one endless source: `node server.ts ENGINE PORT`. Prints `listening`. */
import type { ByteChannel } from '#shared/engine/channel.ts';
import { serveHbone } from '#shared/hbone/server.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { issueFakeMaterial } from '../fake-material.ts';
import { createPeerEngine } from '../peer-engine.ts';
import { SERVER_IDENTITY } from '../spiffe-ids.ts';
import { FLOOD_PORT, STREAMS } from './protocol.ts';

const [engineName = '', port = ''] = process.argv.slice(2);
const clock = systemClock;
const engine = createPeerEngine(engineName);
const context = engine.createTlsContext(await issueFakeMaterial(SERVER_IDENTITY));
const TLS = { alpn: ['h2'], timeoutMs: 10_000, verifyPeer: true };
const BLOCK = Buffer.alloc(64 * 1024, 'x');

function echo(channel: ByteChannel): void {
  channel.setHandler({
    onData: slice => {
      if (!channel.write(slice)) channel.pause();
    },
    onEnd: () => channel.end(),
    onDrain: () => channel.resume(),
    onClose: () => undefined,
  });
}

/** As fast as it is read. */
function flood(channel: ByteChannel): void {
  let closed = false;
  const send = (): void => {
    while (!closed && channel.write(BLOCK));
  };
  channel.setHandler({
    onData: () => undefined,
    onEnd: () => channel.end(),
    onDrain: send,
    onClose: () => (closed = true),
  });
  send();
}

await engine.listen({ ip: '127.0.0.1', port: Number(port) }, channel => {
  engine.secureServer(channel, context, TLS).then(
    secured =>
      serveHbone(secured, {
        clock,
        http2: { maxConcurrentStreams: STREAMS + 1 },
        onConnect: connect => (connect.request.port === FLOOD_PORT ? flood : echo)(connect.accept()),
      }),
    (error: unknown) => process.stderr.write(`${String(error)}\n`),
  );
});
process.stdout.write('listening\n');
