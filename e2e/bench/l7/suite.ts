import type { Suite } from '../suite.ts';
import { SLOTS } from './address-plan.ts';
import { l7Steps } from './measure.ts';
import { ourWaypoint } from './our-waypoint.ts';
import { type L7Plan, l7Metrics } from './plan.ts';
import { theirWaypoint } from './their-waypoint.ts';

/** The waypoint with HBONE on both sides, routes, retries, access log and metrics, against Envoy with the same, one worker each. */
export function l7Suite(plan: L7Plan): Suite {
  return {
    tools: ['ip', 'wrk', 'h2load', 'curl', 'taskset', 'python3', 'nginx', 'iperf3'],
    workers: 1,
    metrics: engine => l7Metrics(plan, engine),
    async contenders(topology, directory, envoy, ours) {
      const slot = ours.engine === 'node' ? SLOTS.node : SLOTS.native;
      return [
        await ourWaypoint(topology, directory, slot, ours),
        await theirWaypoint(topology, directory, SLOTS.peer, envoy, ours.workers),
      ];
    },
    measure: l7Steps(plan),
  };
}
