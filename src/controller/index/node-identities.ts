import type { KubeObject } from '../source/kube-object.ts';
import { flagAt, objectAt, textAt } from '../translate/loose-fields.ts';
import { MIRROR_POD } from '../translate/mesh-labels.ts';

/**
 * Which identities run on which node: what a node proxy may have certificates for. From the pods as they are, with or
 * without an address, because a certificate is asked for before the pod has one.
 *
 * Not that of a mirror pod: it has no service account, and the credentials of a kubelet can make one in every namespace.
 * Taken for the account `default`, they would be that of any namespace. Nor that of a pod on the host's network: no ztunnel
 * speaks for it.
 */
export class NodeIdentities {
  readonly #trustDomain: string;
  readonly #pods = new Map<string, { readonly node: string; readonly identity: string }>();
  readonly #counts = new Map<string, number>();

  constructor(trustDomain: string) {
    this.#trustDomain = trustDomain;
  }

  upsert(key: string, pod: KubeObject): void {
    this.remove(key);
    const spec = objectAt(pod.spec);
    const node = textAt(spec, 'nodeName');
    const phase = textAt(objectAt(pod.status), 'phase');
    if (node === undefined || phase === 'Succeeded' || phase === 'Failed') return;
    if (pod.metadata.annotations[MIRROR_POD] !== undefined || flagAt(spec, 'hostNetwork')) return;
    const account = textAt(spec, 'serviceAccountName') ?? 'default';
    const identity = `spiffe://${this.#trustDomain}/ns/${pod.metadata.namespace}/sa/${account}`;
    this.#pods.set(key, { node, identity });
    this.#count(node, identity, 1);
  }

  remove(key: string): void {
    const pod = this.#pods.get(key);
    if (pod === undefined) return;
    this.#pods.delete(key);
    this.#count(pod.node, pod.identity, -1);
  }

  isOnNode(identity: string, node: string): boolean {
    return this.#counts.has(`${node} ${identity}`);
  }

  #count(node: string, identity: string, by: 1 | -1): void {
    const key = `${node} ${identity}`;
    const count = (this.#counts.get(key) ?? 0) + by;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}
