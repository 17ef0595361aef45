import type { Engine, TlsContext } from '#shared/engine/engine.ts';
import { HbonePool, type HboneTunnel } from '#shared/hbone/session-pool.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { BENCH_IDENTITY } from '../spiffe-ids.ts';
import { HBONE_PORT, SERVICE_PORT } from './address-plan.ts';
import { WAYPOINT_IDENTITY } from './features.ts';

const TIMEOUT_MS = 10_000;

/** Tunnels to services through a waypoint, as a client's ztunnel opens them. */
export function edgeTunnels(
  engine: Engine,
  clock: Clock,
  context: TlsContext,
  waypointIp: string,
): (vip: string) => Promise<HboneTunnel> {
  const pool = new HbonePool({
    engine,
    clock,
    random: Math.random,
    dial: (remote, signal) => engine.connect({ remote, timeoutMs: TIMEOUT_MS }, signal),
    tlsContext: () => context,
  });
  const target = {
    sourceIdentity: BENCH_IDENTITY,
    destinationIdentities: [WAYPOINT_IDENTITY],
    remote: { ip: waypointIp, port: HBONE_PORT },
    workloadUid: 'waypoint',
  };
  return vip => pool.connect({ ...target, request: { host: vip, port: SERVICE_PORT } });
}
