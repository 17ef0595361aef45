import type { Denials } from '#shared/authz/denials.ts';
import type { CongestionPolicy } from '#shared/engine/congestion-policy.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import type { Engine } from '#shared/engine/engine.ts';
import type { Http2Options } from '#shared/http2/options.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { ConnectionManager } from '../connections/connection-manager.ts';
import type { ConnectionSettings } from '../connections/place-keeper.ts';
import type { OutboundSettings } from '../outbound/build-request.ts';
import type { RecentFailures } from '../outbound/recent-failures.ts';
import type { OriginalDestination } from '../redirect/original-dst.ts';
import type { CertificateStore } from './certificate-store.ts';
import type { LocalWorkloadSettings } from './local-workload.ts';
import type { MeshGate } from './mesh-gate.ts';
import type { PolicyCache } from './policy-cache.ts';

/** Plain data, handed to worker threads. */
export interface TrafficSettings extends LocalWorkloadSettings, OutboundSettings {
  readonly connectTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly halfClosedTimeoutMs: number;
  readonly poolIdleTimeoutMs: number;
  readonly maxStreamsPerConnection: number;
  /** ENABLE_ORIG_SRC */
  readonly originalSource: boolean;
  /** Undefined: as the kernel does by itself. */
  readonly tunnelCongestion: CongestionPolicy | undefined;
  readonly http2: Partial<Http2Options>;
  readonly connections: ConnectionSettings;
}

/** What every connection of one thread shares. */
export interface TrafficContext {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly view: MeshView;
  readonly gate: MeshGate;
  readonly certificates: CertificateStore;
  readonly policies: PolicyCache;
  readonly denials: Denials;
  readonly connections: ConnectionManager;
  readonly failures: RecentFailures;
  readonly settings: TrafficSettings;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** Of a redirected connection. Throws when connection tracking has lost it. */
  readonly originalDestination: (channel: TcpChannel) => OriginalDestination;
}
