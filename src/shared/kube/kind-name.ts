/**
 * Kinds of Linkerd that are called as others are, which were there first. The name here of theirs has the group behind it, as
 * `kubectl get` takes it: `AuthorizationPolicy.policy.linkerd.io`.
 */
const QUALIFIED: ReadonlySet<string> = new Set([
  'AuthorizationPolicy.policy.linkerd.io',
  'HTTPRoute.policy.linkerd.io',
]);

/** What an object's kind is called in keys, messages and outputs: two kinds never share a name. */
export function kindName(group: string, kind: string): string {
  const qualified = `${kind}.${group}`;
  return QUALIFIED.has(qualified) ? qualified : kind;
}

/** The kind as manifests write it. */
export function bareKind(name: string): string {
  const [kind = name] = name.split('.', 1);
  return kind;
}

/** Of an `apiVersion`; empty for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
