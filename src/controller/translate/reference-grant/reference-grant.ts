import { bareKind } from '#shared/kube/kind-name.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';

/** A ReferenceGrant: any of `from` may refer to any of `to` in the grant's own namespace. */
export interface ReferenceGrant {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  /** Without a name: every object of that kind. */
  readonly to: readonly {
    readonly group: string;
    readonly kind: string;
    readonly name: string | undefined;
  }[];
}

/** A route that refers to something. */
export interface Referrer {
  /** Its name (`kindName`). */
  readonly kind: string;
  readonly namespace: string;
}

export interface ReferenceGrantLookup {
  /** Whether the namespace of a Service lets routes of another namespace refer to it. */
  isGranted(from: Referrer, service: { readonly namespace: string; readonly name: string }): boolean;
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io';

export function translateReferenceGrant(object: KubeObject): Translated<ReferenceGrant> {
  const diagnostics = new Diagnostics(object);
  const grant = readSpec(object, diagnostics, spec => ({
    from: spec.objects('from', readFrom),
    to: spec.objects('to', fields => ({
      group: groupOf(fields),
      kind: fields.requiredString('kind'),
      name: fields.string('name'),
    })),
  }));
  return diagnostics.conclude(grant ?? { from: [], to: [] });
}

function readFrom(fields: Fields): ReferenceGrant['from'][number] {
  return {
    group: groupOf(fields),
    kind: fields.requiredString('kind'),
    namespace: fields.requiredString('namespace'),
  };
}

/** The group must be there, but empty is the core group. */
function groupOf(fields: Fields): string {
  const group = fields.string('group');
  if (group === undefined && !fields.has('group'))
    fields.reject('group', 'is required', 'set it; "" is the group of Service');
  return group === 'core' ? '' : (group ?? '');
}

/** Whether a grant of the Service's namespace lets the route refer to the Service. */
export function grantsService(grant: ReferenceGrant, from: Referrer, serviceName: string): boolean {
  const kind = bareKind(from.kind);
  // The other kinds of one name have their group in theirs.
  const group = from.kind === kind ? GATEWAY_GROUP : from.kind.slice(kind.length + 1);
  return grants(grant, { group, kind, namespace: from.namespace }, 'Service', serviceName);
}

/** Whether a grant of the Secret's namespace lets Gateways of the other one, and so its waypoints, refer to the Secret. */
export function grantsSecret(grant: ReferenceGrant, gatewayNamespace: string, secretName: string): boolean {
  const from = { group: GATEWAY_GROUP, kind: 'Gateway', namespace: gatewayNamespace };
  return grants(grant, from, 'Secret', secretName);
}

/** What is referred to is of the core group. */
function grants(
  grant: ReferenceGrant,
  { group, kind, namespace }: ReferenceGrant['from'][number],
  toKind: 'Service' | 'Secret',
  toName: string,
): boolean {
  return (
    grant.from.some(f => f.group === group && f.kind === kind && f.namespace === namespace) &&
    grant.to.some(
      t =>
        t.group === '' && t.kind === toKind && (t.name === undefined || t.name === '' || t.name === toName),
    )
  );
}
