import { l4Rules } from '../translate/authorization-policy/l4-part.ts';
import { type Diagnostic, ignored } from '../translate/diagnostic.ts';
import { ACCESS_POLICIES } from '../translate/linkerd-policy/access-policy.ts';
import { MAX_MATCHES } from '../translate/linkerd-policy/server-rules.ts';
import { objectAt } from '../translate/loose-fields.ts';
import { GATEWAY_NAME, INBOUND_POLICY, REQUIRE_IDENTITY } from '../translate/mesh-labels.ts';
import { readOpaquePorts } from '../translate/opaque-ports.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import { knownAccess } from './linkerd-inbound-access.ts';
import { LinkerdPolicies } from './linkerd-policies.ts';
import type { HeldServer } from './linkerd-servers.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import { standingOf } from './unheld-policies.ts';
import { specsIn } from './workload-specs.ts';

/** Servers and annotations of Linkerd that do nothing, or refuse more than they say. */
export function linkerdInEffect(objects: MeshObjects): readonly Diagnostic[] {
  return [...servers(objects), ...annotations(objects)];
}

function servers(objects: MeshObjects): readonly Diagnostic[] {
  const policies = new LinkerdPolicies(objects);
  return [...policies.servers].flatMap(([namespace, held]) => {
    const specs = [...specsIn(objects, namespace)].filter(({ labels }) => labels[GATEWAY_NAME] === undefined);
    return held.flatMap(server => sayOfServer(objects, policies, server, specs));
  });
}

function sayOfServer(
  objects: MeshObjects,
  policies: LinkerdPolicies,
  held: HeldServer,
  specs: readonly WorkloadSpec[],
): readonly Diagnostic[] {
  const { namespace, object, routes, server } = held;
  const selected = specs.filter(spec => policies.portsOf(held, spec).length > 0);
  const isOf = (spec: WorkloadSpec): boolean => [...policies.holders(spec).values()].includes(held);
  const say = (field: string, message: string, fix: string): readonly Diagnostic[] =>
    ignored(object, `spec.${field}`, objectAt(object.spec)[field], message, fix);
  const isForPods = server.pods !== undefined;
  const selector = isForPods ? 'podSelector' : 'externalWorkloadSelector';
  if (selected.length === 0) {
    const kind = isForPods ? 'pod' : 'ExternalWorkload';
    const message = `selects nothing: namespace ${namespace} has no ${kind} with these labels and a port ${server.port}`;
    return say(selector, message, 'correct the labels or the port, or remove the Server');
  }
  const other = selected.find(spec => !isOf(spec));
  const found: Diagnostic[] = [];
  if (other !== undefined) {
    const [port = 0] = policies.portsOf(held, other);
    const older = policies.holders(other).get(port)?.name;
    const message = `does nothing for port ${port} of ${other.name}: Server ${older} is older and decides about it`;
    found.push(...say(selector, message, 'let only one Server select a port'));
  }
  const matches = routes.reduce((sum, route) => sum + route.matches.length, 0);
  if (matches > MAX_MATCHES) {
    const message = `its routes have ${matches} matches, more than the ${MAX_MATCHES} that can be compared: everything is refused`;
    found.push(...say('port', message, 'put paths of one prefix together'));
  }
  const unseen = selected.find(
    spec => isOf(spec) && spec.tunnelProtocol !== 'none' && standingOf(objects, spec) !== 'served',
  );
  const outcome = unseen && whereUnseen(policies, held);
  if (unseen !== undefined && outcome !== undefined) {
    const message = `has routes, and ${unseen.name} is behind no Service with a waypoint: nobody sees its requests, ${outcome}`;
    found.push(...say(selector, message, 'label its Service istio.io/use-waypoint'));
  }
  return found;
}

/** What becomes of requests that no waypoint sees; undefined: what is meant to. */
function whereUnseen(policies: LinkerdPolicies, held: HeldServer): string | undefined {
  if (l4Rules('deny', policies.rulesOf(held)).changed.length > 0) return 'and they are refused';
  const matches = held.routes.flatMap(route => route.matches);
  return matches.some(({ rank }) => rank.ranked.rule.filters.length > 0)
    ? 'and filters are not applied'
    : undefined;
}

/** Of a namespace, and of its pods one. */
function annotations(objects: MeshObjects): readonly Diagnostic[] {
  const pods = Map.groupBy(objects.pods.all(), ({ object }) => object.metadata.namespace);
  return [INBOUND_POLICY, REQUIRE_IDENTITY].flatMap(key => {
    const isWrong = ({ object: { metadata } }: Parsed<unknown>): boolean => {
      const text = metadata.annotations[key];
      return text !== undefined && !isKnown(key, text);
    };
    const first = [...pods.values()].flatMap(of => of.find(isWrong) ?? []);
    return [...[...objects.namespaces.all()].filter(isWrong), ...first].flatMap(({ object }) => {
      const [message, fix] =
        key === INBOUND_POLICY
          ? ['is none of the values it can have: taken as deny', `use one of ${ACCESS_POLICIES.join(', ')}`]
          : ['holds what is no port: an identity is asked for at every one', 'write such as 8080,9000-9010'];
      return ignored(object, `metadata.annotations.${key}`, object.metadata.annotations[key], message, fix);
    });
  });
}

function isKnown(key: string, text: string): boolean {
  return key === INBOUND_POLICY
    ? knownAccess(text) !== undefined
    : readOpaquePorts(text.split(',')).wrong.length === 0;
}
