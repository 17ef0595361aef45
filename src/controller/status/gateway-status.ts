import type { JsonObject } from '#shared/config/json.ts';
import { keyOf } from '../source/kube-object.ts';
import { serviceHostname } from '../translate/cluster.ts';
import { objectAt, objectsAt, textAt } from '../translate/loose-fields.ts';
import type { Waypoint } from '../translate/waypoint-gateway/waypoint.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import type { Entry } from '../index/parsed-kind.ts';
import { type Condition, isFalse, isTrue, messageOf } from './condition.ts';
import type { DesiredListener, DesiredStatus } from './desired-status.ts';
import { readyPods } from '../index/ready-pods.ts';

export interface GatewayFacts {
  readonly objects: MeshObjects;
  /** Why what the Gateway asks for could not be made. */
  readonly failureOf: (key: string) => string | undefined;
  readonly routes: ReadonlyMap<string, number>;
}

/** Undefined for a Gateway that is no waypoint of ours: its status is its own controller's. */
export function gatewayStatus(
  entry: Entry<Waypoint | undefined>,
  facts: GatewayFacts,
): DesiredStatus | undefined {
  const { accepted, good, latest } = entry;
  if (accepted ? good?.value === undefined : !facts.objects.isOwnClass(classOf(entry))) return undefined;
  const { name, namespace } = latest.metadata;
  const conditions = [acceptedCondition(entry), programmed(entry, facts)];
  const attachedRoutes = facts.routes.get(`${namespace}/${name}`) ?? 0;
  return {
    kind: 'gateway',
    object: latest,
    conditions,
    addresses: good?.value === undefined ? [] : addresses(facts.objects, namespace, name),
    listeners: listeners(entry, conditions[1], attachedRoutes),
  };
}

function classOf({ latest }: Entry<unknown>): string {
  return textAt(objectAt(latest.spec), 'gatewayClassName') ?? '';
}

function acceptedCondition({ accepted, diagnostics, good, latest }: Entry<Waypoint | undefined>): Condition {
  const parameters = objectAt(latest.spec, 'infrastructure', 'parametersRef');
  if (Object.keys(parameters).length > 0) {
    const message =
      'spec.infrastructure.parametersRef is not supported; set waypoints for the whole mesh in the values of the chart';
    return isFalse('Accepted', 'InvalidParameters', message);
  }
  if (accepted) return isTrue('Accepted', 'Accepted');
  const inListeners = diagnostics.some(({ field }) => field.startsWith('spec.listeners'));
  const kept = good?.value === undefined ? '' : '\nThe last good version of it is in force.';
  return isFalse('Accepted', inListeners ? 'ListenersNotValid' : 'Invalid', messageOf(diagnostics) + kept);
}

function programmed({ good, latest }: Entry<Waypoint | undefined>, facts: GatewayFacts): Condition {
  const { name, namespace } = latest.metadata;
  if (good?.value === undefined) return isFalse('Programmed', 'Invalid', 'the Gateway is not accepted');
  const failure = facts.failureOf(keyOf(latest));
  if (failure !== undefined) return isFalse('Programmed', 'Invalid', failure);
  const ready = readyPods(facts.objects, namespace, name);
  if (ready === 0) {
    const message = `no pod of it is ready; look at Deployment ${namespace}/${name} and its pods`;
    return isFalse('Programmed', 'Pending', message);
  }
  if (facts.objects.services.get(namespace, name) === undefined) {
    return isFalse('Programmed', 'AddressNotAssigned', `Service ${namespace}/${name} is not there yet`);
  }
  return isTrue('Programmed', 'Programmed', `${ready} ${ready === 1 ? 'pod is' : 'pods are'} ready`);
}

function addresses(objects: MeshObjects, namespace: string, name: string): readonly JsonObject[] {
  const service = objects.services.get(namespace, name)?.value;
  if (service === undefined) return [];
  return [
    ...service.clusterIps.map(value => ({ type: 'IPAddress', value })),
    { type: 'Hostname', value: serviceHostname(objects.options.cluster, namespace, name) },
  ];
}

function listeners(
  { latest }: Entry<Waypoint | undefined>,
  programmedCondition: Condition | undefined,
  attachedRoutes: number,
): readonly DesiredListener[] {
  return objectsAt(objectAt(latest.spec), 'listeners').map(listener => {
    const protocol = textAt(listener, 'protocol') ?? '';
    const isHbone = protocol === 'HBONE';
    const accepted = isHbone
      ? isTrue('Accepted', 'Accepted')
      : isFalse('Accepted', 'UnsupportedProtocol', `${protocol} is not what waypoints speak; use HBONE`);
    const isProgrammed = isHbone && programmedCondition?.status === 'True';
    return {
      name: textAt(listener, 'name') ?? '',
      // Routes attach to Services; counted are those of Services that use this waypoint.
      attachedRoutes: isHbone ? attachedRoutes : 0,
      conditions: [
        accepted,
        isTrue('ResolvedRefs', 'ResolvedRefs'),
        isFalse('Conflicted', 'NoConflicts', ''),
        isProgrammed
          ? isTrue('Programmed', 'Programmed')
          : isFalse('Programmed', isHbone ? 'Pending' : 'Invalid', programmedCondition?.message ?? ''),
      ],
    };
  });
}
