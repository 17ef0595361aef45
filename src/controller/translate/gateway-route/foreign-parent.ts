import { isJsonObject } from '#shared/config/json.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { bareKind } from '#shared/kube/kind-name.ts';
import { objectAt, textAt } from '../loose-fields.ts';
import { meshKindOf } from './parent-ref.ts';

/**
 * Whether a route has parents, and none of them is a Service or a ServiceEntry: of an ingress, mostly. What is right or
 * wrong with it is not for us to say.
 */
export function isForeign(route: KubeObject): boolean {
  const refs = parentRefs(route);
  return refs.length > 0 && refs.every(isForeignRef);
}

/** Whether one of its parents is somebody else's: what it says for that one is not in vain. */
export function hasForeignParent(route: KubeObject): boolean {
  return parentRefs(route).some(isForeignRef);
}

/** Parents of other meshes, which nobody reads where this one takes their place, and what to write. */
export function foreignParents(
  route: KubeObject,
): readonly { readonly index: number; readonly kind: string; readonly fix: string }[] {
  return parentRefs(route).flatMap((ref, index) => {
    const { group, kind } = kindOf(ref);
    const fix = INSTEAD.get(`${group}/${kind}`) ?? (isServer(ref) ? serverFix(route) : undefined);
    return fix === undefined ? [] : [{ index, kind, fix }];
  });
}

const INSTEAD: ReadonlyMap<string, string> = new Map([
  // Without a group it is that of Gateway API, which has neither.
  ['gateway.networking.k8s.io/Service', 'set group: "" beside it'],
  ['gateway.networking.k8s.io/ServiceEntry', 'set group: networking.istio.io beside it'],
  ['policy.linkerd.io/EgressNetwork', 'write a ServiceEntry for the hosts, and make it the parent'],
  ['multicluster.x-k8s.io/ServiceImport', 'make the Service the parent'],
]);

function isServer(ref: unknown): boolean {
  const { group, kind } = kindOf(ref);
  return group === 'policy.linkerd.io' && kind === 'Server';
}

/** A Server of Linkerd has routes of requests, which its policies name. */
function serverFix(route: KubeObject): string | undefined {
  const kind = bareKind(route.kind);
  return kind === 'HTTPRoute' || kind === 'GRPCRoute'
    ? undefined
    : 'remove it: a Server takes HTTPRoutes and GRPCRoutes';
}

function parentRefs(route: KubeObject): readonly unknown[] {
  const refs = objectAt(route.spec)['parentRefs'];
  return Array.isArray(refs) ? refs : [];
}

function isForeignRef(ref: unknown): boolean {
  return isJsonObject(ref) && meshKindOf(kindOf(ref)) === undefined;
}

function kindOf(ref: unknown): { readonly group: string; readonly kind: string } {
  const fields = objectAt(ref);
  // The group without a name is written as "".
  const group = typeof fields['group'] === 'string' ? fields['group'] : 'gateway.networking.k8s.io';
  return { group, kind: textAt(fields, 'kind') ?? 'Gateway' };
}
