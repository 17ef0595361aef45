import type { JsonObject } from '#shared/config/json.ts';
import { type BackendTls, backendTls, type TargetOutcome } from '../index/backend-tls.ts';
import { OVERRIDE_FIX, overrideMessage } from '../index/backend-tls-diagnostics.ts';
import { resolveAuthorities } from '../index/ca-authorities.ts';
import type { MeshIndex } from '../index/mesh-index.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import { addTo } from '../index/multimap.ts';
import type { Entry } from '../index/parsed-kind.ts';
import { reachedServices, serviceKey } from '../index/reached-services.ts';
import { waypointsOf } from '../index/waypoint-of-service.ts';
import type { TlsOverride } from '../index/with-backend-tls.ts';
import { keyOf } from '../source/kube-object.ts';
import type { BackendTlsPolicy } from '../translate/backend-tls-policy/backend-tls-policy.ts';
import { looseTargets } from '../translate/backend-tls-policy/targets.ts';
import { type Condition, isFalse, isTrue, messageOf } from './condition.ts';
import type { DesiredAncestor, DesiredStatus } from './desired-status.ts';
import { plainStatus } from './policy-status.ts';

const GATEWAY_GROUP = 'gateway.networking.k8s.io';

/** What is known of all policies. */
interface Known {
  readonly objects: MeshObjects;
  readonly outcomes: BackendTls['outcomes'];
  readonly overrides: readonly TlsOverride[];
  readonly waypoints: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * `status.ancestors` of each BackendTLSPolicy: the waypoints that originate the TLS, as Gateway API names the Gateway; of Services
 * that no waypoint reaches the Service.
 */
export function* backendTlsStatuses(index: MeshIndex): Iterable<DesiredStatus> {
  const { objects } = index;
  const entries = [...objects.backendTlsPolicies.entries()];
  if (entries.length === 0) return;
  const { outcomes } = backendTls(objects);
  const known = { objects, outcomes, overrides: index.tlsOverrides(), waypoints: waypointsByService(index) };
  for (const entry of entries)
    yield { kind: 'policy', object: entry.latest, ancestors: ancestorsOf(entry, known) };
}

/** By service the waypoints, `<namespace>/<name>`, that connect to it: its own, and those of services whose routes lead there. */
function waypointsByService(index: MeshIndex): ReadonlyMap<string, ReadonlySet<string>> {
  const own = ownWaypoints(index.objects);
  const reaching = new Map<string, Set<string>>();
  for (const routes of index.serviceRoutes()) {
    const waypoints = own.get(serviceKey(routes));
    if (waypoints === undefined) continue;
    for (const service of reachedServices(routes)) {
      const known = reaching.getOrInsertComputed(service, () => new Set());
      for (const waypoint of waypoints) known.add(waypoint);
    }
  }
  return reaching;
}

function ownWaypoints(objects: MeshObjects): ReadonlyMap<string, readonly string[]> {
  const own = new Map<string, readonly string[]>();
  for (const { object, value } of objects.services.all())
    if (value !== undefined) own.set(serviceKey(value), waypointsOf(objects, object));
  for (const { object, value } of objects.serviceEntries.all()) {
    const waypoints = waypointsOf(objects, object);
    for (const spec of value.services) own.set(serviceKey(spec), waypoints);
  }
  return own;
}

function ancestorsOf(entry: Entry<BackendTlsPolicy>, known: Known): readonly DesiredAncestor[] {
  const { namespace } = entry.latest.metadata;
  const outcomes = outcomesOf(entry, known);
  const byAncestor = new Map<string, TargetOutcome[]>();
  for (const outcome of outcomes) {
    const gateways = [...(known.waypoints.get(outcome.service ?? '') ?? [])].sort();
    const ancestors = gateways.map(gateway => `Gateway/${gateway}`);
    for (const ancestor of gateways.length > 0
      ? ancestors
      : [`Service/${namespace}/${outcome.target.name}`]) {
      addTo(byAncestor, ancestor, outcome);
    }
  }
  return [...byAncestor].map(([ancestor, its]) => ({
    ancestorRef: referenceOf(ancestor),
    conditions: conditionsOf(entry, known, its, ancestor.startsWith('Service/')),
  }));
}

/** Of a policy that is wrong now, those of whom it is meant for. */
function outcomesOf({ accepted, latest }: Entry<BackendTlsPolicy>, known: Known): readonly TargetOutcome[] {
  if (accepted) return known.outcomes.get(keyOf(latest)) ?? [];
  const { namespace } = latest.metadata;
  return looseTargets(latest).map(target => ({
    target,
    service: known.objects.service(namespace, target.name)?.key,
    fault: undefined,
  }));
}

function referenceOf(ancestor: string): JsonObject {
  const [kind = '', namespace = '', name = ''] = ancestor.split('/');
  return { group: kind === 'Service' ? '' : GATEWAY_GROUP, kind, namespace, name };
}

function conditionsOf(
  entry: Entry<BackendTlsPolicy>,
  { objects, overrides }: Known,
  outcomes: readonly TargetOutcome[],
  isUnreached: boolean,
): readonly Condition[] {
  const { good, latest } = entry;
  if (!entry.accepted || good === undefined)
    return plainStatus(entry).map(condition => refusing(condition, entry));
  const { namespace } = latest.metadata;
  const { faults, noneValid } = resolveAuthorities(objects, namespace, good.value);
  const said = faults.map(({ message }) => message).join('\n');
  const [first] = faults;
  const resolved =
    first === undefined
      ? isTrue('ResolvedRefs', 'ResolvedRefs')
      : isFalse('ResolvedRefs', first.reason, said);
  const own = overrides.filter(
    ({ policy, service }) => policy === keyOf(latest) && outcomes.some(one => one.service === service),
  );
  return [
    targetFault(outcomes) ??
      overridden(own) ??
      (noneValid
        ? isFalse('Accepted', 'NoValidCACertificate', said)
        : acceptedBy(entry, outcomes, own, isUnreached)),
    resolved,
  ];
}

/** One that was never good keeps connections from its Services. */
function refusing(condition: Condition, { good }: Entry<unknown>): Condition {
  const consequence = '\nConnections to its Services are refused until it is valid.';
  return good === undefined ? { ...condition, message: condition.message + consequence } : condition;
}

/** Where one of several targets has a fault the policy is not accepted, and what holds for the others is said. */
function targetFault(outcomes: readonly TargetOutcome[]): Condition | undefined {
  const faults = outcomes.flatMap(({ fault }) => fault ?? []);
  const [first] = faults;
  if (first === undefined) return undefined;
  const held = outcomes.filter(({ fault }) => fault === undefined).map(({ target }) => shownTarget(target));
  const rest = held.length === 0 ? [] : [`it holds for ${held.join(', ')}`];
  const lines = [...faults.map(({ fix, message }) => `${message}; ${fix}`), ...rest];
  return isFalse('Accepted', first.reason, lines.join('\n'));
}

function shownTarget({ name, sectionName }: TargetOutcome['target']): string {
  return sectionName === undefined ? `Service ${name}` : `port ${sectionName} of Service ${name}`;
}

function overridden(overrides: readonly TlsOverride[]): Condition | undefined {
  if (!overrides.some(({ isWhole }) => isWhole)) return undefined;
  const lines = overrides.map(override => `${overrideMessage(override)}; ${OVERRIDE_FIX}`);
  return isFalse('Accepted', 'Conflicted', lines.join('\n'));
}

function acceptedBy(
  { diagnostics }: Entry<BackendTlsPolicy>,
  outcomes: readonly TargetOutcome[],
  overrides: readonly TlsOverride[],
  isUnreached: boolean,
): Condition {
  const [name = ''] = outcomes.map(({ target }) => target.name);
  const notes = overrides.map(override => `${overrideMessage(override)}; ${OVERRIDE_FIX}`);
  if (diagnostics.length > 0) notes.push(messageOf(diagnostics));
  if (isUnreached)
    notes.push(
      `Service ${name} uses no waypoint, nor do routes of one lead there: nobody originates TLS for it`,
    );
  return isTrue('Accepted', 'Accepted', notes.join('\n'));
}
