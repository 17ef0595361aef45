import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { TapEvent } from '../tap/tap-event.ts';
import type { TapCommand } from '../tap/tap-sessions.ts';
import type { TrafficSettings } from './settings.ts';

/** What is said beyond what every tier's threads are told. */
export interface WaypointProtocol {
  readonly settings: TrafficSettings;
  readonly command: { readonly kind: 'certificate'; readonly material: TlsMaterial } | TapCommand;
  /** Open the listeners: the worker knows the mesh. */
  readonly request: { readonly kind: 'listen' };
  readonly connections: object;
  readonly event: WaypointEvent;
}

/** What a traffic thread tells unasked. */
export interface WaypointEvent {
  readonly kind: 'tap';
  readonly tap: number;
  readonly events: readonly TapEvent[];
}
