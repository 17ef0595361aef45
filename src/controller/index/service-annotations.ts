import { PLAIN_RULE, type ServiceRoutes } from '#shared/route/model.ts';
import type { FailureAccrual } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import { type HedgedRules, hedgingWithRoutes, withHedging } from '../translate/hedge-annotation.ts';
import {
  type LinkerdAnnotations,
  readLinkerdAnnotations,
  withAnnotations,
} from '../translate/linkerd-annotations/annotations.ts';
import { rateLimitWithRoutes, withRateLimit } from '../translate/rate-limit-annotation.ts';
import type { HostContext } from '../translate/istio-host.ts';
import { allPolicies, changePolicies } from '../translate/service-policies.ts';
import { withFailurePenalty } from './failure-penalty.ts';

export interface AnnotatedRoutes {
  readonly routes: ServiceRoutes;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The routes of a Service with what its annotations say: Linkerd's, and the one of hedging. Retries, timeouts and hedging are for
 * requests that no route is for: where there are routes, they are annotated themselves.
 *
 * @param ports of the Service.
 */
export function withServiceAnnotations(
  routes: ServiceRoutes,
  service: KubeObject,
  ports: readonly number[],
  context: HostContext,
): AnnotatedRoutes {
  const read = readLinkerdAnnotations(service);
  const diagnostics = [...read.diagnostics];
  const accrual = accrualFor(routes, service, read, diagnostics);
  const balanced = withFailurePenalty(routes, service, read.failurePenalty, diagnostics);
  const { rules, diagnostics: hedging } =
    routes.rules.length > 0
      ? { rules: routes.rules, diagnostics: ofRequests(service) }
      : defaultRules(routes, service, ports, read, context);
  diagnostics.push(...hedging);
  if (accrual === undefined) return { routes: { ...balanced, rules }, diagnostics };
  const accruing = changePolicies(balanced, policy => ({ ...policy, failureAccrual: accrual }));
  return { routes: { ...balanced, ...accruing, rules }, diagnostics };
}

const OF_REQUESTS = /^(?:retry|timeout)\.linkerd\.io\//;

/** Said of annotations for requests that no route is for, where there are routes. */
function ofRequests(service: KubeObject): readonly Diagnostic[] {
  return [...overruled(service), ...hedgingWithRoutes(service), ...rateLimitWithRoutes(service)];
}

function overruled(service: KubeObject): readonly Diagnostic[] {
  const said = new Diagnostics(service);
  for (const [key, value] of Object.entries(service.metadata.annotations)) {
    if (OF_REQUESTS.test(key))
      said.ignore(
        `metadata.annotations.${key}`,
        value,
        'has no effect: the service has routes',
        'annotate its HTTPRoute or GRPCRoute, or set it in its VirtualService or ServiceProfile',
      );
  }
  return said.found;
}

function defaultRules(
  routes: ServiceRoutes,
  service: KubeObject,
  ports: readonly number[],
  annotations: LinkerdAnnotations,
  context: HostContext,
): HedgedRules {
  const { name, namespace } = service.metadata;
  const backend = {
    weight: 1,
    service: `${routes.namespace}/${routes.hostname}`,
    subset: undefined,
    filters: [],
  };
  const rules = ports.map(port =>
    withAnnotations(
      {
        ...PLAIN_RULE,
        name: `Service/${namespace}/${name}`,
        ports: [port],
        backends: [{ ...backend, port }],
      },
      annotations,
    ),
  );
  const hedged = withHedging(service, rules);
  const limited = withRateLimit(service, hedged.rules, context);
  const diagnostics = [...hedged.diagnostics, ...limited.diagnostics];
  // The waypoint's own rule of the service is the same.
  const isPlain =
    annotations.retry === undefined && annotations.timeouts === undefined && limited.rules === hedged.rules;
  return { rules: isPlain ? [] : limited.rules, diagnostics };
}

/** Two ways to leave failing endpoints out at once are two dialects for one thing: what was there without the annotation holds. */
function accrualFor(
  routes: ServiceRoutes,
  service: KubeObject,
  { failureAccrual }: LinkerdAnnotations,
  diagnostics: Diagnostic[],
): FailureAccrual | undefined {
  if (failureAccrual === undefined) return undefined;
  if (!allPolicies(routes).some(policy => policy.outlierDetection !== undefined)) return failureAccrual;
  const key = 'balancer.linkerd.io/failure-accrual';
  const refused = new Diagnostics(service);
  refused.ignore(
    `metadata.annotations.${key}`,
    service.metadata.annotations[key],
    'has no effect: a DestinationRule sets outlierDetection for the service',
    'keep one of the two',
  );
  diagnostics.push(...refused.found);
  return undefined;
}
