import type { KubeObject } from '../source/kube-object.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import { protocolRefuses } from '../index/linkerd-servers.ts';
import { POLICY_GROUP } from '../translate/linkerd-policy/reference.ts';
import { type Condition, isFalse, isTrue, messageOf } from './condition.ts';

/**
 * Whether a Server of Linkerd, as a route's parent, goes by it: in the words of the condition Accepted. Undefined for kinds of routes
 * that Servers do not have.
 */
export function acceptedByServer(
  { kind, metadata }: KubeObject,
  server: string,
  { linkerd }: Pick<MeshObjects, 'linkerd'>,
): Condition | undefined {
  const { name, namespace } = metadata;
  const entry = linkerd.inboundRoutes.get(kind)?.entry(namespace, name);
  if (entry === undefined) return undefined;
  if (!entry.accepted) {
    const kept =
      entry.good === undefined
        ? 'It is a route of no requests: its Servers refuse what their other routes are not for.'
        : 'The last good version of it is in force.';
    return isFalse('Accepted', 'UnsupportedValue', `${messageOf(entry.diagnostics)}\n${kept}`);
  }
  const held = linkerd.servers.entry(namespace, server);
  if (held === undefined) {
    const message = `there is no Server ${namespace}/${server}; create it or correct the name`;
    return isFalse('Accepted', 'NoMatchingParent', message);
  }
  const refused = held.good && protocolRefuses(entry.good?.value.isGrpc === true, held.good.value);
  if (refused !== undefined)
    return isFalse('Accepted', 'NotAllowedByListeners', `${refused.message}; ${refused.fix}`);
  const ignored = entry.diagnostics.filter(({ field }) => !field.includes('parentRefs['));
  return isTrue('Accepted', 'Accepted', ignored.length === 0 ? '' : messageOf(ignored));
}

export function isServer(ref: { readonly group: string; readonly kind: string }): boolean {
  return ref.group === POLICY_GROUP && ref.kind === 'Server';
}
