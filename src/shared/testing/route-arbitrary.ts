import fc from 'fast-check';
import type { CidrMatch } from '../authz/policy.ts';
import type { RequestCondition, ResponseCondition } from '../route/condition.ts';
import type { ExternalAuthorizer, HeaderNameMatch } from '../route/external-authorizer.ts';
import type { RouteBackend, RouteRule, SourceMatch, ValueMatch } from '../route/model.ts';
import type { PathModifier, RateLimitEntry, RouteFilter, TokenBucket } from '../route/route-filter.ts';
import type { StreamRule } from '../route/stream-rule.ts';
import {
  few,
  flag,
  headerValues,
  maybe,
  millis,
  milliseconds,
  name,
  names,
  percent,
  port,
  status,
  text,
  uint32,
} from './arbitrary-values.ts';
import { retryBudget, session } from './traffic-policy-arbitrary.ts';

/** For property tests: any valid route rule, as the wire can carry it. */

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
