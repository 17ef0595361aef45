import type { Clock } from '../lifecycle/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { StateFiles } from '../state/state-files.ts';
import { DiscoveryClient } from './client.ts';
import { type ControllerEndpoint, createDeltaTransport } from './controller-channel.ts';
import type { DiscoveryMetrics } from './discovery-metrics.ts';
import { makeDiscoveryNode, type ProxyInstance, type ProxyKind } from './discovery-node.ts';
import type { DiscoveryListener, DiscoverySource } from './discovery-source.ts';
import type { ResourceType } from './mesh-resource.ts';
import { SnapshotFile } from './snapshot-file.ts';

export interface ProxyDiscoveryOptions {
  readonly kind: ProxyKind;
  readonly instance: ProxyInstance;
  readonly endpoint: ControllerEndpoint;
  readonly types: readonly ResourceType[];
  /** Where what the last process knew is found, and kept for the next; undefined: nowhere. */
  readonly stateFiles: StateFiles | undefined;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  readonly listener: DiscoveryListener;
}

/** A proxy's configuration from a controller, with what the last process has left of it. */
export function createProxyDiscovery(options: ProxyDiscoveryOptions): DiscoverySource {
  const { clock, endpoint, instance, kind, listener, logger, metrics, random, stateFiles, types } = options;
  const file = stateFiles?.file('configuration');
  return new DiscoveryClient({
    transport: createDeltaTransport(endpoint),
    node: makeDiscoveryNode(kind, instance),
    types,
    listener,
    ...(file === undefined ? {} : { snapshot: new SnapshotFile({ file, clock, logger }) }),
    clock,
    random,
    logger: logger.child('xds'),
    metrics,
  });
}
