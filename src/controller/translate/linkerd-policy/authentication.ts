import type { StringMatch } from '#shared/authz/policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Cluster } from '../cluster.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import type { Requirement } from './client-authorization.ts';
import { principalOfAccount, principalsOfNamespace } from './identity.ts';
import { readNetworks } from './network.ts';
import { readIdentities } from './read-identities.ts';
import { kindAmong, readReference } from './reference.ts';

type MeshIdentity = Pick<Cluster, 'trustDomain'>;

/** Linkerd MeshTLSAuthentication: identities, one of which a client must have. */
export function translateMeshTls(object: KubeObject, cluster: MeshIdentity): Translated<Requirement> {
  const diagnostics = new Diagnostics(object);
  const { namespace } = object.metadata;
  const principals = readSpec(object, diagnostics, spec => {
    const found = [
      ...readIdentities(spec, 'identities', cluster.trustDomain),
      ...spec.objects('identityRefs', fields => readIdentityRef(fields, namespace, cluster)).flat(),
    ];
    if (isEmpty(spec, 'identities') && isEmpty(spec, 'identityRefs'))
      spec.reject('identities', 'is required, or identityRefs', 'name identities, or ServiceAccounts');
    return found;
  });
  return diagnostics.conclude({ kind: 'identity', principals: principals ?? [] });
}

function readIdentityRef(
  fields: Fields,
  ownNamespace: string,
  { trustDomain }: MeshIdentity,
): readonly StringMatch[] {
  const ref = readReference(fields);
  const namespace = fields.string('namespace') ?? ownNamespace;
  switch (kindAmong(fields, ref, ['/ServiceAccount', '/Namespace'])) {
    case '/ServiceAccount':
      return [principalOfAccount(trustDomain, namespace, ref.name)];
    case '/Namespace':
      return [principalsOfNamespace(trustDomain, ref.name)];
    case undefined:
      return [];
  }
}

/** Linkerd NetworkAuthentication: networks, one of which a client must come from. */
export function translateNetworkAuthentication(object: KubeObject): Translated<Requirement> {
  const diagnostics = new Diagnostics(object);
  const networks = readSpec(object, diagnostics, spec => {
    const found = readNetworks(spec);
    if (isEmpty(spec, 'networks')) spec.reject('networks', 'is required', 'write at least one cidr');
    return found;
  });
  return diagnostics.conclude({ kind: 'network', networks: networks ?? [] });
}

function isEmpty(spec: Fields, key: string): boolean {
  const list = spec.has(key) ? spec.raw(key) : [];
  return Array.isArray(list) && list.length === 0;
}
