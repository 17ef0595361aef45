import { chooseTunnelCongestion } from '#shared/engine/choose-congestion.ts';
import type { EngineName } from '#shared/engine/choose-engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { workerThreads } from '#shared/workers/worker-link.ts';
import type { ZtunnelConfig } from '../config.ts';
import type { ConnectionSettings } from '../connections/place-keeper.ts';
import { WorkerPool, YOUNG_GENERATION_MB } from '../workers/worker-pool.ts';

export interface TrafficThreadParts {
  /** The program of a thread. */
  readonly entry: URL;
  readonly engine: EngineName;
  readonly connections: ConnectionSettings;
  /** As it is now. */
  readonly wholeMesh: () => MeshDelta;
  readonly logger: Logger;
  readonly metrics: MetricSet;
}

/** The threads that carry traffic. None runs before `start`. */
export function createTrafficThreads(config: ZtunnelConfig, parts: TrafficThreadParts): WorkerPool {
  const { connections, engine, entry, logger, metrics, wholeMesh } = parts;
  const tunnelCongestion = chooseTunnelCongestion(config.congestionControl, engine, logger);
  return new WorkerPool({
    count: config.workerThreads,
    spawn: workerThreads({ entry, maxHeapMb: config.workerHeapMb, youngGenerationMb: YOUNG_GENERATION_MB }),
    init: { settings: { ...config.traffic, tunnelCongestion, connections }, log: config.log, engine },
    wholeMesh,
    clock: systemClock,
    random: Math.random,
    logger,
    metrics,
  });
}
