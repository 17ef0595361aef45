import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { ConnectionDump } from '../connections/connection-dump.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import type { PodListeners } from '../pod/pod-proxy.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';

/** A local workload to carry traffic for. All descriptors belong to the main thread. */
export interface WorkloadAssignment {
  readonly info: LocalWorkloadInfo;
  /** Undefined: the process's own namespace (`PROXY_MODE=dedicated`). Belongs to the main thread. */
  readonly netnsFd: number | undefined;
  readonly listeners: PodListeners;
}

/** What a thread is told of it. */
export interface PodAssignment extends WorkloadAssignment {
  /** Memory of its `PodCounts`, which all threads share. */
  readonly counts: SharedArrayBuffer;
}

/** What is said beyond what every tier's threads are told. */
export interface ZtunnelProtocol {
  readonly settings: TrafficSettings;
  readonly command:
    | { readonly kind: 'certificate'; readonly identity: string; readonly material: TlsMaterial }
    | { readonly kind: 'certificate_removed'; readonly identity: string }
    | { readonly kind: 'update'; readonly info: LocalWorkloadInfo }
    /** All that is known of the mesh has been told. */
    | { readonly kind: 'mesh_known' };
  readonly request:
    | { readonly kind: 'enrol'; readonly pod: PodAssignment }
    /** `drainMs` 0: cut what is open. */
    | { readonly kind: 'leave'; readonly podUid: string; readonly drainMs: number };
  readonly connections: readonly ConnectionDump[];
  readonly event: never;
}
