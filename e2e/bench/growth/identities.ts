/**
 * Clients of many identities in one process: connections to a plain port go through HBONE to a server's pod, each as the next of
 * COUNT identities. `node identities.ts LISTEN_PORT SERVER_IP COUNT`. Prints `listening`.
 */
import { ChannelError } from '#shared/engine/channel.ts';
import { copyBidirectional } from '#shared/engine/copy.ts';
import type { TcpChannel, TlsContext } from '#shared/engine/engine.ts';
import { HbonePool, type HboneTarget } from '#shared/hbone/session-pool.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { openOutgoingSocket } from '#shared/native/socket-factory.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { issueFakeMaterial } from '../fake-material.ts';
import { createPeerEngine } from '../peer-engine.ts';
import { NGINX_PORT } from '../topology.ts';
import { SERVER_IDENTITY } from '../spiffe-ids.ts';

const HBONE_PORT = 15008;
const TIMEOUT_MS = 30_000;
const CONCURRENCY = 16;
const [listenPort = '', serverIp = '', count = ''] = process.argv.slice(2);
const clock = systemClock;
const engine = createPeerEngine();
const contexts = new Map<string, TlsContext>();
for (let i = 0; i < Number(count); i++) {
  const identity = `spiffe://cluster.local/ns/bench/sa/client-${i}`;
  contexts.set(identity, engine.createTlsContext(await issueFakeMaterial(identity)));
}
const identities = [...contexts.keys()];
let accepted = 0;

const pool = new HbonePool({
  engine,
  clock,
  random: Math.random,
  // Marked as a proxy's own: the client's namespace captures everything else.
  dial: (remote, signal) =>
    engine.connect(
      { remote, timeoutMs: TIMEOUT_MS, fd: openOutgoingSocket({ remoteIp: remote.ip }) },
      signal,
    ),
  tlsContext: identity => {
    const context = contexts.get(identity);
    if (context === undefined) throw new ChannelError('tls_handshake', `no certificate of ${identity}`);
    return context;
  },
  connectTimeoutMs: TIMEOUT_MS,
});

function targetOf(sourceIdentity: string): HboneTarget {
  return {
    sourceIdentity,
    destinationIdentities: [SERVER_IDENTITY],
    remote: { ip: serverIp, port: HBONE_PORT },
    workloadUid: 'server',
    request: { host: serverIp, port: NGINX_PORT },
  };
}

function tunnel(downstream: TcpChannel): void {
  pool.connect(targetOf(identities[accepted++ % identities.length] ?? '')).then(
    upstream => copyBidirectional(downstream, upstream, { clock, onClose: () => undefined }),
    (error: unknown) => {
      const reason = errorMessage(error);
      process.stderr.write(`${reason}\n`);
      downstream.abort(new ChannelError('unreachable', reason));
    },
  );
}

/** Handshakes are another bench: every identity has its connection before the load begins. */
async function connectAll(): Promise<void> {
  const waiting = [...identities];
  const worker = async (): Promise<void> => {
    for (let identity = waiting.pop(); identity !== undefined; identity = waiting.pop()) {
      const opened = await pool.connect(targetOf(identity));
      opened.abort(new ChannelError('aborted', 'it was only opened'));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

await connectAll();
const listen = { ip: '127.0.0.1', port: Number(listenPort), backlog: 4096, sharedReads: true };
await engine.listen(listen, tunnel);
process.stdout.write('listening\n');
