import type { Suite } from '../suite.ts';
import { measureL7 } from './measure.ts';
import { ourWaypoint } from './our-waypoint.ts';
import { type L7Plan, l7Metrics } from './plan.ts';
import { Stage } from './stage.ts';
import { theirWaypoint } from './their-waypoint.ts';

/** The waypoint with HBONE on both sides, routes, retries, access log and metrics, against Envoy with the same, one worker each. */
export function l7Suite(plan: L7Plan): Suite {
  return {
    tools: ['ip', 'wrk', 'h2load', 'curl', 'taskset', 'python3', 'nginx', 'iperf3'],
    workers: 1,
    metrics: engine => l7Metrics(plan, engine),
    async contenders(topology, directory, envoy, ours) {
      const stage = await Stage.create(topology, directory);
      return [
        await ourWaypoint(topology, directory, stage, ours),
        await theirWaypoint(topology, directory, stage, envoy, ours.workers),
      ];
    },
    measure: (topology, directory, daemons, seconds, into) =>
      measureL7(plan, topology, directory, daemons, seconds, into),
  };
}
