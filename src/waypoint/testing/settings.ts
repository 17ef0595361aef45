import type { TrafficSettings } from '../workers/settings.ts';

/** Settings of a waypoint `default/waypoint` in tests: real times, but short ones. */
export const testSettings: TrafficSettings = {
  threads: 1,
  identity: 'spiffe://cluster.local/ns/default/sa/waypoint',
  namespace: 'default',
  hostname: 'waypoint.default.svc.cluster.local',
  network: '',
  clusterId: 'Kubernetes',
  nodeName: 'node-a',
  ips: [],
  locality: { region: '', zone: '', subzone: '' },
  listen: undefined,
  plaintext: undefined,
  accessLog: 'all',
  connectTimeoutMs: 5_000,
  handshakeTimeoutMs: 5_000,
  poolIdleTimeoutMs: 60_000,
  downstreamIdleTimeoutMs: 60_000,
  requestHeadTimeoutMs: 5_000,
  streamIdleTimeoutMs: 60_000,
  // A test of a server that speaks first sets its own: on a busy machine a request may be later than any short time.
  detectionTimeoutMs: 10_000,
  maxRequestBytes: Number.POSITIVE_INFINITY,
  queueTimeoutMs: 3_000,
  overloadLagMs: Number.POSITIVE_INFINITY,
  maxRequests: 100_000,
  tunnelCongestion: undefined,
  traceSamplingRatio: undefined,
};
