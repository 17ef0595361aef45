import type { Fields } from '../decode.ts';

/** What a policy is attached to at waypoints, in the policy's own namespace. */
export interface PolicyTarget {
  readonly kind: 'Service' | 'ServiceEntry' | 'Gateway' | 'GatewayClass';
  readonly name: string;
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io';
const GROUPS: Readonly<Record<PolicyTarget['kind'], string>> = {
  Service: '',
  ServiceEntry: 'networking.istio.io',
  Gateway: GATEWAY_GROUP,
  GatewayClass: GATEWAY_GROUP,
};

export function readTargets(spec: Fields): readonly PolicyTarget[] {
  const one = spec.object('targetRef', readTarget);
  const many = spec.objects('targetRefs', readTarget);
  return [one, ...many].filter(target => target !== undefined);
}

function readTarget(fields: Fields): PolicyTarget | undefined {
  const kind = fields.oneOf('kind', ['Service', 'ServiceEntry', 'Gateway', 'GatewayClass']);
  if (kind === undefined) fields.requiredString('kind');
  const group = fields.string('group') ?? '';
  const name = fields.requiredString('name');
  if (fields.has('namespace')) {
    fields.reject(
      'namespace',
      'is not supported: a policy is attached in its own namespace',
      'remove it or move the policy',
    );
  }
  if (kind === undefined) return undefined;
  const isCore = kind === 'Service' && group === 'core';
  if (group !== GROUPS[kind] && !isCore) {
    fields.reject('group', `is not the group of kind ${kind}`, `write "${GROUPS[kind]}"`);
  }
  return { kind, name };
}
