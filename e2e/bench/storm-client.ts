/**
 * Opens HBONE connections as fast as it can, each with a full handshake, and closes them: `node storm-client.ts IP PORT
 * SECONDS CONCURRENCY`. Prints one line of JSON. Another key exchange than the hybrid one is a failure.
 */
import { ChannelError } from '#shared/engine/channel.ts';
import { createSharedNativeEngine } from '#shared/engine/native/native-engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { openOutgoingSocket } from '#shared/native/socket-factory.ts';
import { BENCH_IDENTITY } from './spiffe-ids.ts';
import { issueFakeMaterial } from './fake-material.ts';

const HYBRID = 'X25519MLKEM768';
const TIMEOUT_MS = 5_000;
const TLS = { alpn: ['h2'], timeoutMs: TIMEOUT_MS, verifyPeer: true };

const [ip = '', port = '', seconds = '', concurrency = ''] = process.argv.slice(2);
const remote = { ip, port: Number(port) };
const engine = createSharedNativeEngine({ clock: systemClock });
const context = engine.createTlsContext(await issueFakeMaterial(BENCH_IDENTITY));
const endAt = performance.now() + Number(seconds) * 1000;
let handshakes = 0;
let failures = 0;

async function open(): Promise<void> {
  // Marked as a proxy's own: the client's namespace captures everything else.
  const fd = openOutgoingSocket({ remoteIp: ip });
  const tcp = await engine.connect({ remote, timeoutMs: TIMEOUT_MS, fd });
  const secured = await engine.secureClient(tcp, context, TLS);
  if (secured.keyExchangeGroup === HYBRID) handshakes++;
  else failures++;
  secured.abort(new ChannelError('aborted', 'it was only opened'));
}

async function worker(): Promise<void> {
  while (performance.now() < endAt) await open().catch(() => failures++);
}

await Promise.all(Array.from({ length: Number(concurrency) }, worker));
process.stdout.write(`${JSON.stringify({ handshakes, failures })}\n`);
process.exit(0);
