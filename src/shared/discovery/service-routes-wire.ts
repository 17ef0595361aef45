import type { CanaryRoutes, ServiceRoutes, Subset } from '../route/model.ts';
import { NO_TELEMETRY_POLICY } from '../route/telemetry-policy.ts';
import { NO_TRAFFIC_POLICY } from '../route/traffic-policy.ts';
import { serviceName } from '../workload/workload.ts';
import { httpAuthorizationFromWire, httpAuthorizationToWire } from './authorization-wire.ts';
import { authorizerFromWire, authorizerToWire } from './external-authorizer-wire.ts';
import { ruleFromWire, ruleToWire } from './route-wire.ts';
import { streamRuleFromWire, streamRuleToWire } from './stream-rule-wire.ts';
import { telemetryFromWire, telemetryToWire } from './telemetry-wire.ts';
import { tokenIssuerFromWire, tokenIssuerToWire } from './token-issuer-wire.ts';
import {
  portPoliciesFromWire,
  portPolicyToWire,
  trafficPolicyFromWire,
  trafficPolicyToWire,
} from './traffic-policy-wire.ts';
import {
  InvalidField,
  readEach,
  readEnum,
  readFlag,
  readIfSet,
  readName,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.ServiceRoutes` ↔ `ServiceRoutes`. */

const PATH_NORMALIZATIONS = ['base', 'merge_slashes', 'decode_and_merge_slashes'] as const;

/** @throws InvalidField */
export function serviceRoutesFromWire(wire: WireFields): ServiceRoutes {
  const routes = routesFromWire(wire);
  return { ...routes, canary: readIfSet(wire, 'canary', canary => canaryFromWire(canary, routes)) };
}

function routesFromWire(wire: WireFields): ServiceRoutes {
  return {
    namespace: readName(wire, 'namespace'),
    hostname: readName(wire, 'hostname'),
    rules: readEach(wire, 'rules', ruleFromWire),
    streamRules: readEach(wire, 'stream_rules', streamRuleFromWire),
    inboundRules: readEach(wire, 'inbound_rules', ruleFromWire),
    subsets: readEach(wire, 'subsets', subsetFromWire),
    trafficPolicy: readIfSet(wire, 'traffic_policy', trafficPolicyFromWire) ?? NO_TRAFFIC_POLICY,
    portPolicies: portPoliciesFromWire(wire),
    authorizationPolicies: readEach(wire, 'authorization_policies', httpAuthorizationFromWire),
    authorizers: readEach(wire, 'authorizers', authorizerFromWire),
    tokenIssuers: readEach(wire, 'token_issuers', tokenIssuerFromWire),
    telemetry: readIfSet(wire, 'telemetry', telemetryFromWire) ?? NO_TELEMETRY_POLICY,
    routed: readFlag(wire, 'routed'),
    pathNormalization: readEnum(wire, 'path_normalization', PATH_NORMALIZATIONS),
    endpointsByHost: readFlag(wire, 'endpoints_by_host'),
    canary: undefined,
  };
}

function canaryFromWire(wire: WireFields, of: ServiceRoutes): CanaryRoutes {
  const waypoint = { namespace: readName(wire, 'namespace'), hostname: readName(wire, 'hostname') };
  const routes = readIfSet(wire, 'routes', routesFromWire);
  if (routes === undefined) throw new InvalidField('routes', 'is not there');
  if (serviceName(routes) !== serviceName(of))
    throw new InvalidField('routes', `is of ${serviceName(routes)}`);
  return { waypoint, routes };
}

export function serviceRoutesToWire(routes: ServiceRoutes): object {
  return {
    namespace: routes.namespace,
    hostname: routes.hostname,
    rules: routes.rules.map(ruleToWire),
    stream_rules: routes.streamRules.map(streamRuleToWire),
    inbound_rules: routes.inboundRules.map(ruleToWire),
    subsets: routes.subsets.map(subset => ({
      name: subset.name,
      traffic_policy: subset.trafficPolicy && trafficPolicyToWire(subset.trafficPolicy),
      workloads: subset.workloads,
      port_policies: subset.portPolicies.map(portPolicyToWire),
    })),
    traffic_policy: trafficPolicyToWire(routes.trafficPolicy),
    port_policies: routes.portPolicies.map(portPolicyToWire),
    authorization_policies: routes.authorizationPolicies.map(httpAuthorizationToWire),
    authorizers: routes.authorizers.map(authorizerToWire),
    token_issuers: routes.tokenIssuers.map(tokenIssuerToWire),
    telemetry: telemetryToWire(routes.telemetry),
    routed: routes.routed,
    path_normalization: PATH_NORMALIZATIONS.indexOf(routes.pathNormalization),
    endpoints_by_host: routes.endpointsByHost,
    canary: routes.canary && {
      ...routes.canary.waypoint,
      routes: serviceRoutesToWire(routes.canary.routes),
    },
  };
}

function subsetFromWire(wire: WireFields): Subset {
  return {
    name: readName(wire, 'name'),
    trafficPolicy: readIfSet(wire, 'traffic_policy', trafficPolicyFromWire),
    portPolicies: portPoliciesFromWire(wire),
    workloads: readTexts(wire, 'workloads'),
  };
}
