import type { ServiceRoutes, Subset, TrafficPolicy } from '../route/model.ts';
import { httpAuthorizationFromWire, httpAuthorizationToWire } from './authorization-wire.ts';
import { ruleFromWire, ruleToWire } from './route-wire.ts';
import {
  readEnum,
  readFlag,
  readMessage,
  readMessages,
  readName,
  readNumber,
  readOptionalNumber,
  readTexts,
  type WireFields,
  within,
} from './wire-fields.ts';

/** `ambient.mesh.v1.ServiceRoutes` ↔ `ServiceRoutes`. */

const LOAD_BALANCERS = ['not_set', 'least_request', 'round_robin', 'random', 'passthrough'] as const;

/** @throws InvalidField */
export function serviceRoutesFromWire(wire: WireFields): ServiceRoutes {
  return {
    namespace: readName(wire, 'namespace'),
    hostname: readName(wire, 'hostname'),
    rules: readMessages(wire, 'rules').map((r, i) => within(`rules[${i}]`, () => ruleFromWire(r))),
    subsets: readMessages(wire, 'subsets').map((s, i) => within(`subsets[${i}]`, () => subsetFromWire(s))),
    trafficPolicy: trafficPolicyFromWire(readMessage(wire, 'traffic_policy') ?? {}),
    authorizationPolicies: readMessages(wire, 'authorization_policies').map((p, i) =>
      within(`authorization_policies[${i}]`, () => httpAuthorizationFromWire(p)),
    ),
    routed: readFlag(wire, 'routed'),
  };
}

export function serviceRoutesToWire(routes: ServiceRoutes): object {
  return {
    namespace: routes.namespace,
    hostname: routes.hostname,
    rules: routes.rules.map(ruleToWire),
    subsets: routes.subsets.map(subset => ({
      name: subset.name,
      traffic_policy: subset.trafficPolicy && trafficPolicyToWire(subset.trafficPolicy),
      workloads: subset.workloads,
    })),
    traffic_policy: trafficPolicyToWire(routes.trafficPolicy),
    authorization_policies: routes.authorizationPolicies.map(httpAuthorizationToWire),
    routed: routes.routed,
  };
}

function subsetFromWire(wire: WireFields): Subset {
  const policy = readMessage(wire, 'traffic_policy');
  return {
    name: readName(wire, 'name'),
    trafficPolicy: policy && trafficPolicyFromWire(policy),
    workloads: readTexts(wire, 'workloads'),
  };
}

function trafficPolicyFromWire(wire: WireFields): TrafficPolicy {
  const loadBalancer = readEnum(wire, 'load_balancer', LOAD_BALANCERS);
  const budget = readMessage(wire, 'retry_budget');
  return {
    loadBalancer: loadBalancer === 'not_set' ? undefined : loadBalancer,
    connectTimeoutMs: readOptionalNumber(wire, 'connect_timeout_ms'),
    maxConnections: readOptionalNumber(wire, 'max_connections'),
    http1MaxPendingRequests: readOptionalNumber(wire, 'http1_max_pending_requests'),
    maxRequestsPerConnection: readOptionalNumber(wire, 'max_requests_per_connection'),
    retryBudget: budget && {
      ratio: readNumber(budget, 'ratio'),
      minPerSecond: readNumber(budget, 'min_per_second'),
      ttlMs: readNumber(budget, 'ttl_ms'),
    },
  };
}

function trafficPolicyToWire(policy: TrafficPolicy): object {
  return {
    load_balancer: LOAD_BALANCERS.indexOf(policy.loadBalancer ?? 'not_set'),
    connect_timeout_ms: policy.connectTimeoutMs,
    max_connections: policy.maxConnections,
    http1_max_pending_requests: policy.http1MaxPendingRequests,
    max_requests_per_connection: policy.maxRequestsPerConnection,
    retry_budget: policy.retryBudget && {
      ratio: policy.retryBudget.ratio,
      min_per_second: policy.retryBudget.minPerSecond,
      ttl_ms: policy.retryBudget.ttlMs,
    },
  };
}
