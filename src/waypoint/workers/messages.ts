import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { TrafficSettings } from './settings.ts';

/** What is said beyond what every tier's threads are told. */
export interface WaypointProtocol {
  readonly settings: TrafficSettings;
  readonly command: { readonly kind: 'certificate'; readonly material: TlsMaterial };
  /** Open the listeners: the worker knows the mesh. */
  readonly request: { readonly kind: 'listen' };
  readonly connections: object;
}
