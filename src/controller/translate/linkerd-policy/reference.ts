import type { Fields } from '../decode.ts';

/** An object that another one names by group, kind and name. */
export interface Reference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

export const POLICY_GROUP = 'policy.linkerd.io';
export const GATEWAY_GROUP = 'gateway.networking.k8s.io';

/** As Linkerd reads them: no group is the core's, `core` too. */
export function readReference(fields: Fields): Reference {
  const group = fields.string('group') ?? '';
  return {
    group: group === 'core' ? '' : group,
    kind: fields.requiredString('kind'),
    name: fields.requiredString('name'),
  };
}

/** Which of some kinds, `<group>/<kind>`, it is of; refused where it is of none. */
export function kindAmong<const T extends string>(
  fields: Fields,
  { group, kind }: Reference,
  kinds: readonly T[],
): T | undefined {
  const found = kinds.find(one => one === `${group}/${kind}`);
  if (found !== undefined || kind === '') return found;
  const shown = kinds.map(one =>
    one.replace(/^(.*)\/(.*)$/, (_, g: string, k: string) => (g === '' ? k : `${k} of group ${g}`)),
  );
  fields.reject(
    'kind',
    `is none that can be named here${group === '' ? ', of no group' : `, of group ${group}`}`,
    `name a ${shown.join(', a ')}`,
  );
  return undefined;
}
