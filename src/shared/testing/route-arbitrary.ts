import fc from 'fast-check';
import type { CidrMatch } from '../authz/policy.ts';
import type { RequestCondition, ResponseCondition } from '../route/condition.ts';
import type { ExternalAuthorizer, HeaderNameMatch } from '../route/external-authorizer.ts';
import type {
  RetryBudgetConfig,
  RouteBackend,
  RouteRule,
  SessionPersistence,
  SourceMatch,
  ValueMatch,
} from '../route/model.ts';
import type { PathModifier, RateLimitEntry, RouteFilter, TokenBucket } from '../route/route-filter.ts';
import { REQUEST_LABELS, REQUEST_METRICS, type TelemetryPolicy } from '../route/telemetry-policy.ts';
import type { StreamRule } from '../route/stream-rule.ts';
import type { TokenIssuer, TokenKeys } from '../route/token-issuer.ts';
import type { FailureAccrual, HashSource, LoadBalancer, TrafficPolicy } from '../route/traffic-policy.ts';

/** For property tests: any valid part of the L7 model, as the wire can carry it. */

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);
const names = fc.array(name, { maxLength: 2 });
const text = fc.string({ maxLength: 12, unit: 'binary' });
const port = fc.integer({ min: 1, max: 65_535 });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const milliseconds = fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true });
const percent = fc.double({ min: 0, max: 100, noNaN: true });
const flag = fc.boolean();
const status = fc.integer({ min: 200, max: 599 });

function maybe<T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(of, { nil: undefined });
}

function few<T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(of, { maxLength: 2 });
}

const millis = maybe(milliseconds);
const valueMatch: fc.Arbitrary<ValueMatch> = fc.record({
  name,
  kind: fc.constantFrom('exact', 'prefix', 'suffix', 'contains', 'regex', 'present'),
  value: name,
});
const path = fc.record({
  kind: fc.constantFrom('exact' as const, 'prefix' as const, 'string_prefix' as const, 'regex' as const),
  value: name,
  ignoreCase: flag,
});

const requestCondition: fc.Arbitrary<RequestCondition> = fc.letrec<{ tree: RequestCondition }>(tie => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    path.map(of => ({ kind: 'path' as const, path: of })),
    valueMatch.map(header => ({ kind: 'header' as const, header })),
    valueMatch.map(query => ({ kind: 'query' as const, query })),
    fc.record({ kind: fc.constantFrom('all' as const, 'any' as const), of: few(tie('tree')) }),
    fc.record({ kind: fc.constant('not' as const), condition: tie('tree') }),
  ),
})).tree;

const responseCondition: fc.Arbitrary<ResponseCondition> = fc.letrec<{ tree: ResponseCondition }>(tie => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    status.chain(min => fc.integer({ min, max: 599 }).map(max => ({ kind: 'status' as const, min, max }))),
    fc.record({ kind: fc.constantFrom('all' as const, 'any' as const), of: few(tie('tree')) }),
    fc.record({ kind: fc.constant('not' as const), condition: tie('tree') }),
  ),
})).tree;

const source: fc.Arbitrary<SourceMatch> = fc.record({ namespaces: names, workloads: maybe(names) });
const routeMatch = fc.record({
  path: maybe(path),
  method: maybe(text),
  headers: few(valueMatch),
  withoutHeaders: few(valueMatch),
  query: few(valueMatch),
  source: maybe(source),
  condition: maybe(requestCondition),
});

const headerValues = few(fc.record({ name, value: text }));
const change = fc.record({ set: headerValues, add: headerValues, remove: names });
const modifier: fc.Arbitrary<PathModifier> = fc.oneof(
  fc.record({ kind: fc.constantFrom('full' as const, 'prefix' as const), value: text }),
  fc.record({ kind: fc.constant('regex' as const), pattern: name, value: name }),
);
const headerNames: fc.Arbitrary<HeaderNameMatch[]> = few(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: name }),
    fc.constant({ kind: 'any' as const }),
  ),
);

export const externalAuthorizer: fc.Arbitrary<ExternalAuthorizer> = fc.record({
  name: text,
  protocol: fc.constantFrom('grpc', 'http'),
  service: name,
  port,
  timeoutMs: milliseconds,
  failOpen: flag,
  statusOnError: status,
  pathPrefix: text,
  maxBodyBytes: uint32,
  allowPartialBody: flag,
  bodyAsBytes: flag,
  requestHeaders: headerNames,
  addedHeaders: headerValues,
  headersToUpstream: headerNames,
  headersToDownstreamOnAllow: headerNames,
  headersToDownstreamOnDeny: headerNames,
});

const bucket: fc.Arbitrary<TokenBucket> = fc.record({
  maxTokens: uint32,
  tokensPerFill: uint32,
  fillIntervalMs: fc.integer({ min: 1, max: 1e9 }),
});
const entry: fc.Arbitrary<RateLimitEntry> = fc.oneof(
  fc.record({ kind: fc.constant('generic' as const), key: name, value: name }),
  fc.record({ kind: fc.constant('header' as const), key: name, header: name }),
  fc.record({
    kind: fc.constantFrom(
      'source_ip' as const,
      'source_identity' as const,
      'service' as const,
      'method' as const,
      'path' as const,
    ),
  }),
);

const filter: fc.Arbitrary<RouteFilter> = fc.oneof(
  fc.record({ kind: fc.constantFrom('request_headers' as const, 'response_headers' as const), change }),
  fc.record({
    kind: fc.constant('redirect' as const),
    redirect: fc.record({
      scheme: maybe(text),
      hostname: maybe(text),
      port: maybe(port),
      path: maybe(modifier),
      status,
    }),
  }),
  fc.record({
    kind: fc.constant('rewrite' as const),
    rewrite: fc.record({ hostname: maybe(text), path: maybe(modifier) }),
  }),
  fc.record({ kind: fc.constant('direct_response' as const), status, body: text, headers: headerValues }),
  fc.record({
    kind: fc.constant('fault' as const),
    fault: fc.record({
      delay: maybe(fc.record({ percent, fixedMs: milliseconds })),
      abort: maybe(
        fc.record({
          percent,
          with: fc.oneof(
            fc.record({ kind: fc.constant('http_status' as const), status }),
            fc.record({ kind: fc.constant('grpc_status' as const), status: fc.nat(16) }),
          ),
        }),
      ),
    }),
  }),
  fc.record({
    kind: fc.constant('mirror' as const),
    mirror: fc.record({ service: maybe(name), port, subset: maybe(name), percent }),
  }),
  fc.record({
    kind: fc.constant('cors' as const),
    cors: fc.record({
      allowOrigins: few(
        fc.record({
          kind: fc.constantFrom('exact' as const, 'prefix' as const, 'regex' as const, 'wildcard' as const),
          value: name,
        }),
      ),
      allowMethods: names,
      allowHeaders: names,
      exposeHeaders: names,
      maxAgeMs: millis,
      allowCredentials: flag,
      unmatchedPreflights: fc.constantFrom('forward' as const, 'answer' as const),
    }),
  }),
  fc.record({
    kind: fc.constant('local_rate_limit' as const),
    limit: fc.record({
      total: maybe(bucket),
      identity: maybe(bucket),
      overrides: few(fc.record({ identities: names, bucket })),
      status,
      sharedAs: maybe(name),
    }),
  }),
  fc.record({
    kind: fc.constant('global_rate_limit' as const),
    limit: fc.record({
      service: name,
      port,
      domain: name,
      descriptors: few(few(entry)),
      timeoutMs: milliseconds,
      failOpen: flag,
    }),
  }),
  fc.record({ kind: fc.constant('external_authorization' as const), authorizer: externalAuthorizer }),
);
const filters = few(filter);

const backend: fc.Arbitrary<RouteBackend> = fc.record({
  weight: uint32,
  service: maybe(text),
  port: fc.integer({ min: 0, max: 65_535 }),
  subset: maybe(text),
  filters,
});
const session: fc.Arbitrary<SessionPersistence> = fc.record({
  kind: fc.constantFrom('cookie' as const, 'header' as const),
  name,
  path: maybe(text),
  absoluteTimeoutMs: millis,
  idleTimeoutMs: millis,
  lifetime: fc.constantFrom('session' as const, 'permanent' as const),
});
const retryBudget: fc.Arbitrary<RetryBudgetConfig> = fc.record({
  ratio: fc.double({ min: 0, max: 1, noNaN: true }),
  minPerSecond: uint32,
  ttlMs: uint32,
});

export const routeRule: fc.Arbitrary<RouteRule> = fc.record({
  name: text,
  ports: few(port),
  consumer: maybe(text),
  callers: names,
  hosts: few(text),
  matches: few(routeMatch),
  filters,
  backends: few(backend),
  timeouts: fc.record({ requestMs: millis, backendRequestMs: millis, responseMs: millis, idleMs: millis }),
  retry: maybe(
    fc.record({
      attempts: uint32,
      on: few(fc.constantFrom('connect_failure' as const, '5xx' as const, 'grpc_unavailable' as const)),
      statusCodes: few(status),
      perTryTimeoutMs: millis,
      backoffBaseMs: uint32,
      backoffMaxMs: uint32,
      remoteLocalities: flag,
      hostSelectionAttempts: uint32,
    }),
  ),
  retryBudget: maybe(retryBudget),
  hedge: maybe(fc.constant('on_try_timeout' as const)),
  session: maybe(session),
  responseClasses: few(fc.record({ condition: responseCondition, isFailure: flag })),
});

export function streamRule(cidrs: fc.Arbitrary<CidrMatch[]>): fc.Arbitrary<StreamRule> {
  return fc.record({
    name: text,
    protocol: fc.constantFrom('tcp', 'tls'),
    ports: few(port),
    consumer: maybe(text),
    callers: names,
    matches: few(
      fc.record({ serverNames: names, destinationIps: cidrs, sourceIps: cidrs, source: maybe(source) }),
    ),
    backends: few(backend),
    idleTimeoutMs: millis,
  });
}

const hashSource: fc.Arbitrary<HashSource> = fc.oneof(
  fc.record({ terminal: flag, kind: fc.constantFrom('header' as const, 'query' as const), name }),
  fc.record({ terminal: flag, kind: fc.constant('source_ip' as const) }),
  fc.record({
    terminal: flag,
    kind: fc.constant('cookie' as const),
    cookie: fc.record({ name, path: maybe(text), ttlMs: millis, attributes: headerValues }),
  }),
);
const tableSize = fc.integer({ min: 1, max: 65_537 });
const loadBalancer: fc.Arbitrary<LoadBalancer> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('round_robin' as const, 'random' as const, 'passthrough' as const),
  }),
  fc.record({
    kind: fc.constant('backend_utilization' as const),
    reports: fc.record({
      stabilizationMs: milliseconds,
      expirationMs: milliseconds,
      updateMs: milliseconds,
      errorPenalty: fc.double({ min: 0, max: 1000, noNaN: true }),
      metrics: names,
    }),
  }),
  fc.record({
    kind: fc.constant('peak_ewma' as const),
    penalty: maybe(fc.record({ penaltyMs: milliseconds, maxRetryAfterMs: milliseconds })),
  }),
  fc.record({ kind: fc.constant('least_request' as const), choices: maybe(uint32) }),
  fc.record({
    kind: fc.constant('ring_hash' as const),
    minRingSize: tableSize,
    maxRingSize: maybe(tableSize),
    hash: few(hashSource),
  }),
  fc.record({ kind: fc.constant('maglev' as const), tableSize, hash: few(hashSource) }),
);
const accrual: fc.Arbitrary<FailureAccrual> = fc.record({
  consecutiveFailures: uint32,
  successRate: maybe(
    fc.record({
      threshold: fc.double({ min: 0, max: 1, noNaN: true }),
      windowMs: milliseconds,
      minRequests: uint32,
    }),
  ),
  minPenaltyMs: milliseconds,
  maxPenaltyMs: milliseconds,
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});
const count = maybe(uint32);

export const trafficPolicy: fc.Arbitrary<TrafficPolicy> = fc.record({
  connectTimeoutMs: millis,
  maxConnections: count,
  maxConnectionDurationMs: millis,
  tcpIdleTimeoutMs: millis,
  keepalive: maybe(fc.record({ probes: count, timeMs: millis, intervalMs: millis })),
  http1MaxPendingRequests: count,
  http2MaxRequests: count,
  maxRequestsPerConnection: count,
  maxRetries: count,
  httpIdleTimeoutMs: millis,
  maxConcurrentStreams: count,
  http2Keepalive: maybe(fc.record({ intervalMs: milliseconds, timeoutMs: milliseconds })),
  h2Upgrade: maybe(flag),
  useClientProtocol: flag,
  loadBalancer: maybe(loadBalancer),
  locality: maybe(
    fc.record({
      enabled: flag,
      distribute: few(fc.record({ from: name, to: few(fc.record({ locality: name, percent })) })),
      failover: few(fc.record({ from: name, to: name })),
      failoverPriority: few(
        fc.oneof(
          fc.record({ kind: fc.constantFrom('network' as const, 'region' as const, 'node' as const) }),
          fc.record({ kind: fc.constant('workloads' as const), workloads: names }),
        ),
      ),
      zoneAware: maybe(fc.record({ minEndpoints: uint32, percent })),
    }),
  ),
  slowStart: maybe(
    fc.record({
      windowMs: milliseconds,
      aggression: fc.double({ min: 0, max: 1000, noNaN: true }),
      minWeightPercent: percent,
    }),
  ),
  outlierDetection: maybe(
    fc.record({
      consecutive5xx: uint32,
      consecutiveGatewayErrors: uint32,
      splitExternalLocalOriginErrors: flag,
      consecutiveLocalOriginFailures: uint32,
      errorStatusCodes: few(status),
      failurePercent: maybe(percent),
      intervalMs: milliseconds,
      baseEjectionMs: milliseconds,
      maxEjectionPercent: percent,
      minHealthPercent: percent,
    }),
  ),
  failureAccrual: maybe(accrual),
  tls: maybe(
    fc.record({
      mode: fc.constantFrom('disable' as const, 'simple' as const, 'mutual' as const, 'mesh' as const),
      serverName: maybe(text),
      subjectAltNames: names,
      trustedRoots: fc.oneof(
        fc.record({ kind: fc.constant('system' as const) }),
        fc.record({ kind: fc.constant('pem' as const), pem: text }),
        fc.record({ kind: fc.constant('file' as const), path: text }),
        fc.record({ kind: fc.constant('credential' as const), name }),
        fc.record({ kind: fc.constant('unresolved' as const), reason: text }),
      ),
      clientCertificate: maybe(fc.record({ certificateFile: name, privateKeyFile: name })),
      credential: maybe(name),
      revocationListFile: maybe(name),
      skipVerification: flag,
      alpn: names,
      passesClientTls: flag,
    }),
  ),
  proxyProtocol: fc.constantFrom(undefined, 'v1', 'v2'),
  tunnel: maybe(fc.record({ method: fc.constantFrom('CONNECT' as const, 'POST' as const), target: name })),
  retryBudget: maybe(retryBudget),
  retryConcurrency: maybe(
    fc.record({
      ratio: fc.double({ min: 0, max: 1, noNaN: true }),
      minimum: uint32,
      intervalMs: milliseconds,
    }),
  ),
  session: maybe(session),
  failover: few(fc.record({ service: name, subset: maybe(name) })),
});

export const portPolicies = few(fc.record({ port, policy: trafficPolicy }));

const keys: fc.Arbitrary<TokenKeys> = fc.oneof(
  fc.record({ kind: fc.constant('inline' as const), jwks: text }),
  fc.record({ kind: fc.constant('uri' as const), uri: text }),
  fc.record({ kind: fc.constant('discovery' as const) }),
);

export const tokenIssuer: fc.Arbitrary<TokenIssuer> = fc
  .record({
    name,
    issuer: maybe(text),
    audiences: names,
    keys,
    from: fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('header' as const), name, prefix: text }),
        fc.record({ kind: fc.constantFrom('query' as const, 'cookie' as const), name }),
      ),
      { minLength: 1, maxLength: 2 },
    ),
    forwardOriginal: flag,
    outputPayloadToHeader: maybe(name),
    outputClaimToHeaders: few(fc.record({ header: name, claim: names })),
    timeoutMs: milliseconds,
    clockSkewMs: milliseconds,
    requiredClaims: few(fc.record({ claim: names, value: text })),
    spaceDelimitedClaims: names,
    required: flag,
  })
  .map(issuer => (issuer.keys.kind === 'discovery' ? { ...issuer, issuer: issuer.issuer ?? 'it' } : issuer));

export const telemetry: fc.Arbitrary<TelemetryPolicy> = fc.record({
  traceSamplingPercent: maybe(percent),
  traceSpans: maybe(flag),
  traceTags: few(fc.record({ name, header: maybe(text), value: text })),
  accessLog: maybe(flag),
  accessLogFilter: maybe(fc.constantFrom('response.code >= 400', "request.headers['x'] == 'y'")),
  metrics: few(
    fc.record({
      metric: fc.constantFrom(...REQUEST_METRICS),
      disabled: flag,
      labels: few(fc.record({ name: fc.constantFrom(...REQUEST_LABELS), value: text })),
    }),
  ),
});
