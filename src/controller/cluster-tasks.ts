import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { ControllerConfig } from './config.ts';
import type { MeshIndex } from './index/mesh-index.ts';
import type { Platform } from './platform.ts';
import { computeStatuses } from './status/compute-statuses.ts';
import { StatusWriter } from './status/status-writer.ts';
import { WaypointDeployments } from './waypoints/waypoint-deployments.ts';

export interface ClusterTaskOptions {
  readonly config: ControllerConfig;
  readonly platform: Platform;
  readonly index: MeshIndex;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

/** What the leader alone does in a cluster. Nothing where there is none. */
export function addClusterTasks(options: ClusterTaskOptions): void {
  const { config, index, logger, platform } = options;
  const { api, leadership } = platform;
  if (api === undefined) return;
  const { clusterDomain, clusterId, network, trustDomain } = config.cluster;
  const { logFormat, logLevel } = config;
  leadership.add(
    new WaypointDeployments({
      ...options,
      api,
      logger: logger.child('waypoints'),
      template: {
        ...config.waypoint,
        clusterDomain,
        clusterId,
        network,
        trustDomain,
        logFormat,
        logLevel,
      },
      objects: index.objects,
      onIndexChange: listener => index.onChange(listener),
      onOutcome: (key, failure) => index.setWaypointFailure(key, failure),
    }),
  );
  leadership.add(
    new StatusWriter({
      ...options,
      api,
      logger: logger.child('status'),
      compute: () => computeStatuses(index),
      onChange: listener => index.onChange(() => listener()),
    }),
  );
}
