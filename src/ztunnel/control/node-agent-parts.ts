import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { StateFiles } from '#shared/state/state-files.ts';
import type { NodeAgentConfig } from '../config/node-agent-config.ts';
import type { PodDnsServer, PodWorkers } from '../node/enrolment.ts';
import type { LocalPod } from '../node/local-pod.ts';
import type { MeshGate } from '../pod/mesh-gate.ts';

export interface NodeAgentParts {
  readonly config: NodeAgentConfig;
  readonly instance: ProxyInstance;
  readonly workers: PodWorkers;
  readonly dns: PodDnsServer;
  /** Undefined: nothing is kept for the next start. */
  readonly stateFiles: StateFiles | undefined;
  readonly mesh: MeshGate;
  /** What of the mesh is not known yet, and what that means; a line each. */
  readonly missing: () => readonly string[];
  /** What an operator has to know of the traffic of pods; a line each. */
  readonly trafficWarnings: () => readonly string[];
  readonly peersKnowItLeft: (pod: LocalPod) => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: MetricSet;
  readonly logger: Logger;
}
