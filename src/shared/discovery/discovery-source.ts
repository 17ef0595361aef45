import type { TlsCredential } from '../route/tls-credential.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';
import type { ResourceType } from './mesh-resource.ts';
import type { RejectedResource } from './subscription.ts';
import type { TrustAnnouncement } from './trust-bundle-wire.ts';

/** Where a proxy's configuration comes from: a controller (`client.ts`) or a file (`local-source.ts`). */
export interface DiscoverySource {
  /** Returns at once; everything after goes to the listener. */
  start(): void;
  stop(): Promise<void>;
  /** Ask for one name: `<network>/<ip>` or `<namespace>/<hostname>`. No effect where everything is subscribed. */
  subscribe(name: string): void;
  status(): DiscoveryStatus;
}

export interface DiscoveryListener {
  /** Validated changes, in order; must not throw. */
  onDelta(delta: MeshDelta): void;
  /** The controller answers, for the first time or again. Must not throw. */
  onConnected?(): void;
  /**
   * The controller's roots, when `TRUST_BUNDLE_TYPE` is subscribed. Returning means that they are trusted from now on:
   * the ACK that follows lets a root rotation go on. Throw to refuse it (a NACK with the reason).
   */
  onTrust?(trust: TrustAnnouncement): void;
  /**
   * What TLS is originated with, `<namespace>/<name>` of a Secret, when `TLS_CREDENTIAL_TYPE` is subscribed; undefined: it is
   * gone. Must not throw: who uses it finds out whether it is of use.
   */
  onCredential?(name: string, credential: TlsCredential | undefined): void;
  /** Once: every subscribed type of mesh configuration has been received. */
  onSynced(): void;
}

/** For `/config_dump`. Times are wall clock, ISO 8601. */
export interface DiscoveryStatus {
  readonly source: string;
  readonly connectedSince: string | undefined;
  /** Why there is no connection, or why the last one ended. */
  readonly lastError: string | undefined;
  readonly types: readonly TypeStatus[];
}

export interface TypeStatus {
  readonly type: ResourceType;
  readonly synced: boolean;
  readonly resources: number;
  /** Of the control plane, as last received. */
  readonly systemVersion: string;
  readonly rejected: readonly RejectedResource[];
}
