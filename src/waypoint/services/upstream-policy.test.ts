import { test } from 'tap';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { service } from '#shared/testing/topology.ts';
import type { PoolLimits } from '../upstream/attempt.ts';
import { type SharedLimits, SharedUse } from '../upstream/shared-use.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';
import { makeUpstreamPolicy } from './upstream-policy.ts';

const NONE = Number.POSITIVE_INFINITY;

interface Expected {
  readonly limits?: Partial<PoolLimits>;
  readonly shared?: Partial<SharedLimits>;
  readonly connection?: Partial<UpstreamConnection>;
}

const ROWS: readonly (readonly [string, Partial<TrafficPolicy>, Expected])[] = [
  [
    'without a policy the bounds of a pool are ours, and the service has none',
    {},
    {
      limits: {
        maxConnections: 4_096,
        maxPendingRequests: 1_024,
        maxRequestsPerConnection: NONE,
        maxStreamsPerConnection: NONE,
        maxConnectionDurationMs: NONE,
        idleTimeoutMs: undefined,
      },
      shared: { maxConnections: NONE, maxPending: NONE, maxRequests: NONE, maxRetries: NONE },
      connection: { key: '', connectTimeoutMs: undefined },
    },
  ],
  ['threads share connections', { maxConnections: 100 }, { shared: { maxConnections: 25 } }],
  [
    'a policy may allow more than a pool would by itself',
    { maxConnections: 40_000, http1MaxPendingRequests: 8_000 },
    { limits: { maxConnections: 10_000, maxPendingRequests: 2_000 } },
  ],
  ['each thread has at least one', { maxConnections: 1 }, { shared: { maxConnections: 1 } }],
  ['requests that wait', { http1MaxPendingRequests: 10 }, { shared: { maxPending: 3 } }],
  ['requests under way', { http2MaxRequests: 10 }, { shared: { maxRequests: 3 } }],
  ['retries under way', { maxRetries: 8 }, { shared: { maxRetries: 2 } }],
  ['requests of a connection', { maxRequestsPerConnection: 1 }, { limits: { maxRequestsPerConnection: 1 } }],
  [
    '0 requests of a connection are any',
    { maxRequestsPerConnection: 0 },
    { limits: { maxRequestsPerConnection: NONE } },
  ],
  ['streams of a connection', { maxConcurrentStreams: 7 }, { limits: { maxStreamsPerConnection: 7 } }],
  ['age of a connection', { maxConnectionDurationMs: 9 }, { limits: { maxConnectionDurationMs: 9 } }],
  ['idle time', { httpIdleTimeoutMs: 5 }, { limits: { idleTimeoutMs: 5 } }],
  ['idle time, 0 is none', { httpIdleTimeoutMs: 0 }, { limits: { idleTimeoutMs: NONE } }],
  [
    'PINGs',
    { http2Keepalive: { intervalMs: 5, timeoutMs: 2 } },
    { limits: { keepalive: { intervalMs: 5, timeoutMs: 2 } } },
  ],
  ['time to connect', { connectTimeoutMs: 70 }, { connection: { connectTimeoutMs: 70 } }],
  [
    'of the retries that may always be under way each gets its share, at least one',
    { retryConcurrency: { ratio: 0.2, minimum: 3, intervalMs: 0 } },
    { shared: { retryConcurrency: { ratio: 0.2, minimum: 1, intervalMs: 0 } } },
  ],
  ['how connections begin', { proxyProtocol: 'v2' }, { connection: { proxyProtocol: 'v2' } }],
  [
    'keepalive of the kernel, in its bounds',
    { keepalive: { timeMs: 1, intervalMs: 1e9, probes: 1_000 } },
    { connection: { keepalive: { idleSeconds: 1, intervalSeconds: 32_767, probes: 127 } } },
  ],
  [
    'of the kernel where it does not say',
    { keepalive: { timeMs: 7_000, intervalMs: undefined, probes: undefined } },
    { connection: { keepalive: { idleSeconds: 7, intervalSeconds: undefined, probes: undefined } } },
  ],
];

test('what a policy says of connections, for one of four threads', t => {
  for (const [name, policy, { connection = {}, limits = {}, shared = {} }] of ROWS) {
    const use = new SharedUse();
    const made = makeUpstreamPolicy(
      { ...NO_TRAFFIC_POLICY, ...policy },
      service('api'),
      4,
      use,
      new FakeClock(),
    );
    t.match(made.limits, limits, name);
    t.match(use.limits, shared, name);
    t.match(made.connection, connection, name);
  }
  t.end();
});

test('connections made in different ways are told apart, those made alike are not', t => {
  const keyOf = (policy: Partial<TrafficPolicy>): string =>
    makeUpstreamPolicy(
      { ...NO_TRAFFIC_POLICY, ...policy },
      service('api'),
      1,
      new SharedUse(),
      new FakeClock(),
    ).connection.key;
  t.equal(keyOf({ connectTimeoutMs: 5 }), keyOf({ connectTimeoutMs: 5, maxConnections: 9 }));
  t.not(keyOf({ connectTimeoutMs: 5 }), keyOf({ connectTimeoutMs: 6 }));
  t.not(keyOf({ proxyProtocol: 'v1' }), keyOf({ proxyProtocol: 'v2' }));
  t.end();
});
