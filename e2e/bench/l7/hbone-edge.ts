/**
 * The client's side of the mesh, as cheap as it can be: each plain port leads through HBONE to one service of the bench.
 * `node hbone-edge.ts MATERIAL LISTEN_IP WAYPOINT_IP`. The same for every contender.
 */
import { ChannelError } from '#shared/engine/channel.ts';
import { copyBidirectional } from '#shared/engine/copy.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import { HbonePool } from '#shared/hbone/session-pool.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { BENCH_IDENTITY } from '../spiffe-ids.ts';
import { BENCH_SERVICES, HBONE_PORT, SERVICE_PORT } from './address-plan.ts';
import { WAYPOINT_IDENTITY } from './features.ts';
import { createPeerEngine, readMaterial } from '../peer-engine.ts';

const TIMEOUT_MS = 10_000;
const [materialPath = '', listenIp = '', waypointIp = ''] = process.argv.slice(2);
const clock = systemClock;
const engine = createPeerEngine();
const context = engine.createTlsContext(readMaterial(materialPath));
const pool = new HbonePool({
  engine,
  clock,
  random: Math.random,
  dial: (remote, signal) => engine.connect({ remote, timeoutMs: TIMEOUT_MS }, signal),
  tlsContext: () => context,
});

function tunnel(downstream: TcpChannel, vip: string): void {
  const target = {
    sourceIdentity: BENCH_IDENTITY,
    destinationIdentities: [WAYPOINT_IDENTITY],
    remote: { ip: waypointIp, port: HBONE_PORT },
    workloadUid: 'waypoint',
    request: { host: vip, port: SERVICE_PORT },
  };
  pool.connect(target).then(
    upstream => copyBidirectional(downstream, upstream, { clock, onClose: () => undefined }),
    (error: unknown) => {
      const reason = errorMessage(error);
      downstream.abort(new ChannelError('unreachable', reason));
      process.stderr.write(`${reason}\n`);
    },
  );
}

for (const { edgePort, vip } of BENCH_SERVICES) {
  await engine.listen({ ip: listenIp, port: edgePort, backlog: 4096, sharedReads: true }, channel =>
    tunnel(channel, vip),
  );
}
