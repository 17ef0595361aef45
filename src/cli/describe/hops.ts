import { STATIC_POLICY_PREFIX } from '#shared/authz/decision.ts';
import type { JsonObject } from '#shared/config/json.ts';
import type { DumpedService, DumpedWorkload } from '../config-dump.ts';
import { children, text } from '#shared/config/json-fields.ts';
import { balancingFacts } from './balancing.ts';
import type { Fact, Hop, PolicyLine, RouteLine } from './description.ts';
import { type MeshFacts, serviceKey, type WaypointFacts } from './mesh-facts.ts';

/** The client's side: it decides where a connection to a service or pod goes. */
export function clientHop(why: string): Hop {
  return { name: "ztunnel of the client's node", why, facts: [], policies: undefined, routes: undefined };
}

export function waypointHop(service: DumpedService, facts: MeshFacts): Hop | undefined {
  if (service.waypoint === 'None') return undefined;
  const waypoint = facts.waypoints.get(service.waypoint);
  const key = serviceKey(service);
  const ready = waypoint === undefined ? '0/0' : `${waypoint.readyPods}/${waypoint.pods}`;
  return {
    name: `waypoint ${shortName(service.waypoint)}`,
    why: `service ${service.namespace}/${service.name} asks for it`,
    facts: [
      { name: 'ready pods', value: ready },
      ...balancingFacts(waypoint?.routes.get(key)),
      ...unreadable(waypoint),
    ],
    policies: waypoint?.policies.get(key),
    routes: routeLines(waypoint?.routes.get(key), facts.objectStates),
  };
}

function unreadable(waypoint: WaypointFacts | undefined): Fact[] {
  if (waypoint?.error === undefined) return [];
  return [{ name: 'not known', value: `routes and policies: ${waypoint.error}` }];
}

/** The last hop; for several pods, those that have the same policies together. */
export function serverHops(pods: readonly DumpedWorkload[], facts: MeshFacts): Hop[] {
  const groups = new Map<
    string,
    { readonly pods: DumpedWorkload[]; readonly policies: readonly PolicyLine[] | undefined }
  >();
  for (const pod of pods.filter(p => p.protocol === 'HBONE')) {
    const policies = facts.ztunnels.get(pod.node)?.policies.get(pod.uid);
    const key = JSON.stringify(policies ?? pod.node);
    const group = groups.get(key) ?? { pods: [], policies };
    group.pods.push(pod);
    groups.set(key, group);
  }
  return [...groups.values()].map(group => serverHop(group.pods, group.policies, facts));
}

function serverHop(
  pods: readonly DumpedWorkload[],
  policies: readonly PolicyLine[] | undefined,
  facts: MeshFacts,
): Hop {
  const nodes = [...new Set(pods.map(p => p.node))].sort();
  const names = pods.map(p => `${p.namespace}/${p.name}`).sort();
  const known =
    policies === undefined ? [notAsked(nodes, facts)] : [{ name: 'mTLS', value: mtlsMode(policies) }];
  return {
    name: `ztunnel of node ${nodes.join(', ')}`,
    why: `${names.slice(0, MAX_NAMES).join(', ')}${names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''} ${names.length === 1 ? 'is' : 'are'} captured`,
    facts: known,
    policies: policies?.filter(p => !isStatic(p)),
    routes: undefined,
  };
}

const MAX_NAMES = 5;

function notAsked(nodes: readonly string[], facts: MeshFacts): Fact {
  const without = nodes.filter(node => !facts.ztunnels.has(node));
  const why =
    without.length > 0
      ? `no ztunnel of node ${without.join(', ')} answered`
      : 'the ztunnel does not know the pod yet';
  return { name: 'not known', value: `policies: ${why}` };
}

/** A mode other than permissive reaches ztunnel as a policy that denies what has no principal. */
function mtlsMode(policies: readonly PolicyLine[]): string {
  const own = policies.find(isStatic);
  if (own === undefined) return 'PERMISSIVE: plaintext is accepted too';
  return own.name.endsWith(`${STATIC_POLICY_PREFIX}strict`)
    ? 'STRICT: plaintext is refused'
    : `by port (PeerAuthentication ${own.name.replace(STATIC_POLICY_PREFIX, '').replace('selector_', '')})`;
}

function isStatic(policy: PolicyLine): boolean {
  return policy.name.includes(`/${STATIC_POLICY_PREFIX}`);
}

function routeLines(
  routes: JsonObject | undefined,
  states: ReadonlyMap<string, string>,
): RouteLine[] | undefined {
  if (routes === undefined) return undefined;
  return [...children(routes, 'rules'), ...children(routes, 'streamRules')].map(rule => {
    const name = text(rule, 'name');
    const object = name.split('/').slice(0, 3).join('/');
    return { name, ports: portText(rule), backends: backendText(rule), state: states.get(object) ?? '-' };
  });
}

function portText(rule: JsonObject): string {
  const ports = rule['ports'];
  return Array.isArray(ports) && ports.length > 0 ? ports.join(',') : 'all';
}

function backendText(rule: JsonObject): string {
  const backends = children(rule, 'backends');
  const total = backends.reduce((sum, b) => sum + Number(text(b, 'weight')), 0);
  const shown = backends.map(backend => {
    const share =
      backends.length > 1 && total > 0
        ? ` ${Math.round((100 * Number(text(backend, 'weight'))) / total)}%`
        : '';
    return backendName(backend) + share;
  });
  return shown.join(', ') || '-';
}

/** Two backends of a canary may differ in the subset alone. */
function backendName(backend: JsonObject): string {
  const [service, port, subset] = [text(backend, 'service'), text(backend, 'port'), text(backend, 'subset')];
  if (service === '') return 'unresolved (500)';
  const shownPort = port === '' || port === '0' ? '' : `:${port}`;
  return `${shortName(service)}${shownPort}${subset === '' ? '' : ` subset ${subset}`}`;
}

/** `shop/payments.shop.svc.cluster.local` → `shop/payments`. */
export function shortName(name: string): string {
  const [namespace = '', hostname = ''] = name.split('/');
  return hostname.endsWith(`.${namespace}.svc.cluster.local`) || hostname.includes(`.${namespace}.svc.`)
    ? `${namespace}/${hostname.slice(0, hostname.indexOf('.'))}`
    : name;
}
