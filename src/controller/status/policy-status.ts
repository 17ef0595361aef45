import { isDeepStrictEqual } from 'node:util';
import type { AuthorizationTranslation } from '../translate/authorization-policy/authorization-policy.ts';
import { inPrincipals } from '../translate/authorization-policy/trust-domains.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import type { Entry } from '../index/parsed-kind.ts';
import { type Condition, isFalse, isTrue, messageOf } from './condition.ts';
import { waypointOfService, waypointOfServiceEntry } from '../index/waypoint-of-service.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import type { PolicyTarget } from '../translate/authorization-policy/target.ts';

export const ZTUNNEL_ACCEPTED = 'ZtunnelAccepted';
export const WAYPOINT_ACCEPTED = 'WaypointAccepted';

/** A policy with targets is a waypoint's; every other one is enforced by ztunnels, and by waypoints before them. */
export function authorizationStatus(
  entry: Entry<AuthorizationTranslation>,
  objects: MeshObjects,
): readonly Condition[] {
  const { accepted, diagnostics, good, latest } = entry;
  if (!accepted) {
    const hasTargets = typeof latest.spec === 'object' && latest.spec !== null && 'targetRefs' in latest.spec;
    const type = hasTargets ? WAYPOINT_ACCEPTED : ZTUNNEL_ACCEPTED;
    return [rejectedPolicy(type, hasTargets ? 'Invalid' : 'UnsupportedValue', entry)];
  }
  if (good === undefined) return [];
  const { full, l4, targets } = good.value;
  const missing = missingProvider(full, objects);
  if (missing !== undefined)
    return [isFalse(targets.length > 0 ? WAYPOINT_ACCEPTED : ZTUNNEL_ACCEPTED, 'Invalid', missing)];
  if (targets.length > 0) return [targetsStatus(targets, full.namespace, objects, diagnostics)];
  if (l4 !== undefined && isDeepStrictEqual(l4.rules, full.rules.map(inPrincipals)))
    return [isTrue(ZTUNNEL_ACCEPTED, 'Accepted', withNotes('attached to ztunnel', diagnostics))];
  const left =
    l4 === undefined
      ? 'nothing of it is left for ztunnels'
      : `ztunnels enforce it without them, as ${full.action === 'deny' ? 'a wider DENY' : 'a narrower ALLOW'}`;
  const message = `attributes of HTTP, server names, and trust domains that principals cannot say, are enforced by waypoints alone; ${left}`;
  return [isFalse(ZTUNNEL_ACCEPTED, 'UnsupportedValue', message)];
}

/** Of action CUSTOM, whom nobody has configured: what the policy matches is refused, and why is not to be seen in it. */
function missingProvider(
  { action, provider }: AuthorizationTranslation['full'],
  objects: MeshObjects,
): string | undefined {
  if (action !== 'custom') return undefined;
  for (const { value } of objects.meshConfigs.all())
    if (value.authorizers.some(({ name }) => name === provider)) return undefined;
  const { rootNamespace } = objects.options;
  return `there is no external authorizer "${provider ?? ''}": requests that match are refused; add it to extensionProviders of ConfigMap ${rootNamespace}/istio`;
}

/** A kind that ztunnels alone enforce. */
export function ztunnelPolicyStatus(entry: Entry<unknown>): readonly Condition[] {
  if (!entry.accepted) return [rejectedPolicy(ZTUNNEL_ACCEPTED, 'UnsupportedValue', entry)];
  if (entry.diagnostics.length > 0)
    return [isFalse(ZTUNNEL_ACCEPTED, 'UnsupportedValue', messageOf(entry.diagnostics))];
  return [isTrue(ZTUNNEL_ACCEPTED, 'Accepted', 'attached to ztunnel')];
}

/** A kind that waypoints alone act on. */
export function waypointPolicyStatus(
  entry: Entry<{ readonly targets: readonly PolicyTarget[] }>,
  objects: MeshObjects,
  diagnostics: readonly Diagnostic[] = entry.diagnostics,
): readonly Condition[] {
  const { accepted, good, latest } = entry;
  if (!accepted) return [rejectedPolicy(WAYPOINT_ACCEPTED, 'Invalid', entry)];
  const { namespace } = latest.metadata;
  const targets = good?.value.targets ?? [];
  if (targets.length > 0) return [targetsStatus(targets, namespace, objects, diagnostics)];
  const message = 'held by the waypoints of the services it is for';
  return [isTrue(WAYPOINT_ACCEPTED, 'Accepted', withNotes(message, diagnostics))];
}

/**
 * A kind that has no condition of its own in the field.
 *
 * @param diagnostics what was found in it, by itself and among the others
 */
export function plainStatus(
  entry: Entry<unknown>,
  diagnostics: readonly Diagnostic[] = entry.diagnostics,
): readonly Condition[] {
  if (!entry.accepted) return [rejectedPolicy('Accepted', 'Invalid', entry)];
  // Good by itself, and another object was there first.
  if (diagnostics.some(({ severity }) => severity === 'rejected'))
    return [isFalse('Accepted', 'Conflicted', messageOf(diagnostics))];
  return [isTrue('Accepted', 'Accepted', withNotes('', diagnostics))];
}

function rejectedPolicy(type: string, reason: string, { diagnostics, good }: Entry<unknown>): Condition {
  const kept = good === undefined ? '' : '\nThe last good version of it is in force.';
  return isFalse(type, reason, messageOf(diagnostics) + kept);
}

function withNotes(text: string, diagnostics: Entry<unknown>['diagnostics']): string {
  return [text, messageOf(diagnostics)].filter(part => part !== '').join('\n');
}

/** @param diagnostics what of the policy has no effect */
function targetsStatus(
  targets: readonly PolicyTarget[],
  namespace: string,
  objects: MeshObjects,
  diagnostics: readonly Diagnostic[],
): Condition {
  const faults = targets.map(target => targetFault(target, namespace, objects));
  const wrong = faults.filter(fault => fault !== undefined);
  const [first] = wrong;
  if (first === undefined) {
    const names = targets.map(({ kind, name }) => `${kind} ${name}`).join(', ');
    return isTrue(WAYPOINT_ACCEPTED, 'Accepted', withNotes(`bound to ${names}`, diagnostics));
  }
  const message = wrong.map(fault => fault.message).join('; ');
  const reason = wrong.length < targets.length ? 'PartiallyInvalid' : first.reason;
  return isFalse(WAYPOINT_ACCEPTED, reason, message);
}

function targetFault(
  { kind, name }: PolicyTarget,
  namespace: string,
  objects: MeshObjects,
): { readonly reason: string; readonly message: string } | undefined {
  const missing = { reason: 'TargetNotFound', message: `there is no ${kind} ${namespace}/${name}` };
  const unbound = {
    reason: 'AncestorNotBound',
    message: `${kind} ${namespace}/${name} uses no waypoint, so nothing enforces the policy; label it istio.io/use-waypoint`,
  };
  switch (kind) {
    case 'Service':
      if (objects.services.get(namespace, name) === undefined) return missing;
      return waypointOfService(objects, namespace, name) === undefined ? unbound : undefined;
    case 'ServiceEntry':
      if (objects.serviceEntries.get(namespace, name) === undefined) return missing;
      return waypointOfServiceEntry(objects, namespace, name) === undefined ? unbound : undefined;
    case 'Gateway':
      return objects.waypoint(namespace, name) === undefined ? missing : undefined;
    case 'GatewayClass':
      return objects.isOwnClass(name)
        ? undefined
        : { ...missing, message: `GatewayClass ${name} is not ours` };
  }
}
