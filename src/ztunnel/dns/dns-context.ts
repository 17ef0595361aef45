import type { SocketEndpoint } from '#shared/engine/channel.ts';
import type { Engine } from '#shared/engine/engine.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { OutboundSettings } from '../outbound/build-request.ts';
import type { LocalWorkloadSettings } from '../pod/local-workload.ts';
import type { DnsMetrics } from './dns-metrics.ts';
import type { UnderWay } from './under-way.ts';

export type DnsSettings = LocalWorkloadSettings &
  Pick<OutboundSettings, 'clusterDomain' | 'outboundTrafficPolicy'>;

/** What the DNS of all pods shares. */
export interface DnsContext {
  readonly view: MeshView;
  /** Whether `view` has all of the mesh once. */
  readonly isKnown: () => boolean;
  /** Whether `view` hears of what changes. */
  readonly isCurrent: () => boolean;
  /** For connections; of the thread it runs on. */
  readonly engine: Engine;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly settings: DnsSettings;
  readonly metrics: DnsMetrics;
  readonly logger: Logger;
  readonly underWay: UnderWay;
  /** For queries of which the kernel does not tell where they were going. */
  readonly ownServers: readonly SocketEndpoint[];
}
