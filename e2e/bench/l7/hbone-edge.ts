/**
 * The client's side of the mesh for wrk and h2load, as cheap as it can be: each plain port leads through HBONE to one service of the
 * bench. `node hbone-edge.ts MATERIAL LISTEN_IP WAYPOINT_IP`. The same for every contender.
 */
import { ChannelError } from '#shared/engine/channel.ts';
import { copyBidirectional } from '#shared/engine/copy.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { createPeerEngine, readMaterial } from '../peer-engine.ts';
import { BENCH_SERVICES } from './address-plan.ts';
import { edgeTunnels } from './edge-tunnels.ts';

const [materialPath = '', listenIp = '', waypointIp = ''] = process.argv.slice(2);
const clock = systemClock;
const engine = createPeerEngine();
const open = edgeTunnels(engine, clock, engine.createTlsContext(readMaterial(materialPath)), waypointIp);

function tunnel(downstream: TcpChannel, vip: string): void {
  open(vip).then(
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
