import type { Suite } from '../suite.ts';
import { type Slot, SLOTS } from './address-plan.ts';
import { l7Steps } from './measure.ts';
import { ourWaypoint } from './our-waypoint.ts';
import { type L7Plan, l7Metrics } from './plan.ts';
import { Stage } from './stage.ts';
import { theirWaypoint } from './their-waypoint.ts';

const WRK_TOOLS = ['wrk', 'h2load', 'curl'];

/** The waypoint with HBONE on both sides, routes, retries, access log and metrics, against Envoy with the same, one worker each. */
export function l7Suite(plan: L7Plan): Suite {
  return {
    tools: ['ip', 'taskset', 'python3', 'nginx', 'iperf3', ...(plan.load === 'wrk' ? WRK_TOOLS : [])],
    workers: 1,
    metrics: engine => l7Metrics(plan, engine),
    async contenders(topology, directory, envoy, ours) {
      const stageAt = (slot: Slot): Promise<Stage> => Stage.create(topology, directory, slot, plan.load);
      const slot = ours.engine === 'node' ? SLOTS.node : SLOTS.native;
      return [
        await ourWaypoint(topology, directory, await stageAt(slot), ours),
        await theirWaypoint(topology, directory, await stageAt(SLOTS.peer), envoy, ours.workers),
      ];
    },
    measure: l7Steps(plan),
  };
}
