import type { JsonObject } from '#shared/config/json.ts';
import { fullName, type KubeObject } from '../../cluster/kube-object.ts';
import { isRunning } from '../../cluster/mesh-pods.ts';
import { selects } from '../../cluster/label-selector.ts';
import { child, children, text, texts } from '#shared/config/json-fields.ts';
import { type Check, noneOf, unknown } from '../check.ts';
import { wantsCapture } from '../cluster-snapshot.ts';

const HBONE_PORT = 15_008;

export const NETWORK_POLICY_CHECKS: readonly Check[] = [
  {
    category: 'data plane',
    id: 'network-policies',
    description: `NetworkPolicies let port ${HBONE_PORT} through`,
    severity: 'fatal',
    run: snapshot => {
      const { networkPolicies } = snapshot;
      if (networkPolicies === undefined) return unknown('NetworkPolicies cannot be listed');
      const captured = snapshot.pods.filter(pod => isRunning(pod) && wantsCapture(snapshot, pod));
      return noneOf([
        ...blocked(captured, networkPolicies, 'Ingress'),
        ...blocked(captured, networkPolicies, 'Egress'),
      ]);
    },
  },
];

type Direction = 'Ingress' | 'Egress';

/** Policies add up: a pod is cut off when some select it and none of them has a rule for the port. */
export function blocked(
  pods: readonly KubeObject[],
  policies: readonly KubeObject[],
  direction: Direction,
): string[] {
  const cutOff = new Map<string, string[]>();
  for (const pod of pods) {
    const own = policies.filter(policy => appliesTo(policy, pod, direction));
    if (own.length === 0 || own.some(policy => allowsHbone(policy, direction))) continue;
    const names = own.map(fullName).sort().join(', ');
    cutOff.set(names, [...(cutOff.get(names) ?? []), fullName(pod)]);
  }
  const way = direction === 'Ingress' ? 'reach' : 'be reached from';
  return [...cutOff].map(
    ([names, podNames]) =>
      `NetworkPolicy ${names}: port ${HBONE_PORT} cannot ${way} pod ${short(podNames)}; add a rule for TCP ${HBONE_PORT} (${direction.toLowerCase()})`,
  );
}

function short(names: readonly string[]): string {
  const [first = '', ...others] = names;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function appliesTo(policy: KubeObject, pod: KubeObject, direction: Direction): boolean {
  if (policy.namespace !== pod.namespace) return false;
  const types = texts(policy.spec, 'policyTypes');
  // As the API server defaults it: always Ingress, Egress when there are rules for it.
  const wanted = types.length > 0 ? types : ['Ingress', ...('egress' in policy.spec ? ['Egress'] : [])];
  return wanted.includes(direction) && selects(child(policy.spec, 'podSelector'), pod.labels);
}

function allowsHbone(policy: KubeObject, direction: Direction): boolean {
  const rules = children(policy.spec, direction === 'Ingress' ? 'ingress' : 'egress');
  return rules.some(rule => {
    const ports = children(rule, 'ports');
    return ports.length === 0 || ports.some(includesHbone);
  });
}

function includesHbone(port: JsonObject): boolean {
  if ((text(port, 'protocol') || 'TCP') !== 'TCP') return false;
  const from = port['port'];
  if (from === undefined) return true;
  const to = port['endPort'] ?? from;
  return typeof from === 'number' && typeof to === 'number' && from <= HBONE_PORT && HBONE_PORT <= to;
}
