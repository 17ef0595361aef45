/** Ports of the mesh that a waypoint listens on or dials. */
export const HBONE_PORT = 15008;
export const ADMIN_PORT = 15000;
export const METRICS_PORT = 15020;
export const READINESS_PORT = 15021;
