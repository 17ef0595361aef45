import type { Service, Workload } from '../workload/workload.ts';

/** Who is at the two ends of a connection, as telemetry tells them apart. */
export interface ConnectionPeers {
  /** Which proxy says so: of the source, of the destination, or a waypoint between them. */
  readonly reporter: 'source' | 'destination' | 'waypoint';
  readonly source: Workload | undefined;
  /** SPIFFE id used or proved; undefined for plaintext. */
  readonly sourceIdentity: string | undefined;
  readonly destination: Workload | undefined;
  readonly destinationIdentity: string | undefined;
  readonly service: Service | undefined;
  readonly security: 'mutual_tls' | 'unknown';
}
