import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, whenReady } from '../contender.ts';
import { writeEnvoyTls } from '../envoy-tls.ts';
import { BENCH_IDENTITY } from '../spiffe-ids.ts';
import { type Topology, waitForPort } from '../topology.ts';
import { HBONE_PORT } from './address-plan.ts';
import { envoyWaypoint } from './envoy-waypoint.ts';
import { WAYPOINT_IDENTITY } from './features.ts';
import { startProxy } from './pinned.ts';
import type { Stage } from './stage.ts';

/** Envoy in the waypoint's place. */
export async function theirWaypoint(
  topology: Topology,
  directory: string,
  stage: Stage,
  envoy: string,
  workers: number,
): Promise<Contender> {
  const { client } = topology;
  const { endpoint, waypoint: ip } = stage.slot;
  const tls = await writeEnvoyTls(directory, WAYPOINT_IDENTITY, BENCH_IDENTITY);
  const config = join(directory, 'envoy-waypoint.json');
  const listen = { ip, port: HBONE_PORT };
  writeFileSync(config, JSON.stringify(envoyWaypoint(listen, { ip: endpoint, port: HBONE_PORT }, tls)));
  // Without hot restart it leaves no shared memory behind when it is ended.
  const quiet = ['--log-level', 'error', '--disable-hot-restart'];
  const args = ['--concurrency', String(workers), ...quiet, '-c', config];
  return {
    name: 'peer',
    ip,
    async start() {
      await stage.start();
      const waypoint = startProxy(client, envoy, args);
      return whenReady([waypoint], async () => {
        await waitForPort(client, ip, HBONE_PORT, [waypoint]);
        await stage.answers(waypoint);
      });
    },
    stop: () => stage.stop(),
  };
}
