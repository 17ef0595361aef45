import { countMemory } from '../connections/shared-count.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';

/** Settings of a traffic thread for tests. */
export const testSettings: TrafficSettings = {
  trustDomain: 'cluster.local',
  clusterId: 'Kubernetes',
  network: '',
  nodeName: 'node-a',
  waypointUnavailable: 'refuse',
  outboundTrafficPolicy: 'allow_any',
  clusterDomain: 'cluster.local',
  connectTimeoutMs: 10_000,
  handshakeTimeoutMs: 10_000,
  halfClosedTimeoutMs: 3_600_000,
  poolIdleTimeoutMs: 300_000,
  maxStreamsPerConnection: 100,
  originalSource: false,
  tunnelCongestion: undefined,
  http2: {},
  connections: {
    perPod: 4_096,
    room: 32_768,
    roomIs: 'a test',
    sharesFairly: true,
    threads: 1,
    used: countMemory(1, 1),
  },
};
