import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { KeySource } from '#shared/jwt/key-source.ts';
import type { TlsCredential } from '#shared/route/tls-credential.ts';
import type { Span } from '#shared/tracing/span.ts';
import type { FailedHost, WantedHost } from '../hosts/awaited-hosts.ts';
import type { TapEvent } from '../tap/tap-event.ts';
import type { TapCommand } from '../tap/tap-sessions.ts';
import type { TrafficSettings } from './settings.ts';

/** What is said beyond what every tier's threads are told. */
export interface WaypointProtocol {
  readonly settings: TrafficSettings;
  readonly command:
    | { readonly kind: 'certificate'; readonly material: TlsMaterial }
    | TapCommand
    | KeysCommand
    | CredentialCommand
    | FailedHost
    | SpansTaken;
  /** Open the listeners: the worker knows the mesh. */
  readonly request: { readonly kind: 'listen' };
  readonly connections: object;
  readonly event: WaypointEvent;
}

/** The keys of a token issuer as they are now. */
export interface KeysCommand {
  readonly kind: 'keys';
  /** `KeySource.name`. */
  readonly source: string;
  /** Undefined: none could be fetched yet. */
  readonly jwks: string | undefined;
}

/** A Secret, `<namespace>/<name>`, that TLS is originated with. */
export interface CredentialCommand {
  readonly kind: 'credential';
  readonly name: string;
  /** Undefined: it is gone. */
  readonly credential: TlsCredential | undefined;
}

/** What a traffic thread tells unasked. */
export type WaypointEvent =
  | { readonly kind: 'tap'; readonly tap: number; readonly events: readonly TapEvent[] }
  /** A request is for a host of a service that lists no endpoints. */
  | WantedHost
  /** It has met a token of a key it does not know. */
  | { readonly kind: 'keys_wanted'; readonly source: KeySource }
  /** Each is answered by `spans_taken`. `dropped`: spans there was no room for. */
  | {
      readonly kind: 'spans';
      readonly thread: number;
      readonly spans: readonly Span[];
      readonly dropped: number;
    };

export interface SpansTaken {
  readonly kind: 'spans_taken';
}
