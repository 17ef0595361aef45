import type { LabelSelector } from '#shared/kube/label-selector.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Cluster } from '../cluster.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { readLabelSelector } from '../label-selector.ts';
import { ANY_IDENTITY, type ClientAuthorization, type Requirement } from './client-authorization.ts';
import { principalOfAccount } from './identity.ts';
import { FROM_CLUSTER, readNetworks } from './network.ts';
import { readIdentities } from './read-identities.ts';

/** Linkerd ServerAuthorization: clients that may come to Servers of its namespace. */
export interface ServerAuthorization {
  /** The name of a Server, or labels of Servers. */
  readonly servers: string | LabelSelector;
  readonly client: ClientAuthorization;
}

type MeshIdentity = Pick<Cluster, 'trustDomain'>;

export function translateServerAuthorization(
  object: KubeObject,
  cluster: MeshIdentity,
): Translated<ServerAuthorization> {
  const diagnostics = new Diagnostics(object);
  const { namespace } = object.metadata;
  const read = readSpec(object, diagnostics, spec => {
    const servers = spec.object('server', readServers);
    if (!spec.has('server')) spec.reject('server', 'is required', 'set server.name or server.selector');
    const client = spec.object('client', fields => readClient(fields, namespace, cluster));
    if (!spec.has('client')) spec.reject('client', 'is required', 'say who may come');
    return { servers: servers ?? '', client: client ?? [NOBODY] };
  });
  return diagnostics.conclude(read ?? { servers: '', client: [NOBODY] });
}

const NOBODY: Requirement = { kind: 'identity', principals: [] };

function readServers(fields: Fields): ServerAuthorization['servers'] {
  const name = fields.string('name');
  const selector = fields.object('selector', readLabelSelector);
  if (name !== undefined && fields.has('selector'))
    fields.reject('selector', 'cannot be together with name', 'keep the one you mean');
  if (!fields.has('name') && !fields.has('selector'))
    fields.reject(
      'name',
      'is required, or selector',
      'name a Server of this namespace; selector: {} is all of them',
    );
  return name ?? selector ?? '';
}

/** Without networks it is for clients of the cluster. */
function readClient(fields: Fields, namespace: string, cluster: MeshIdentity): ClientAuthorization {
  const networks = readNetworks(fields);
  const network: Requirement = networks.length === 0 ? FROM_CLUSTER : { kind: 'network', networks };
  const unauthenticated = fields.boolean('unauthenticated') ?? false;
  const identity = fields.object('meshTLS', tls => readMeshTls(tls, namespace, cluster));
  if (unauthenticated) return [network];
  if (!fields.has('meshTLS'))
    fields.reject('meshTLS', 'is required, or unauthenticated: true', 'say who may come');
  return [network, identity ?? NOBODY];
}

function readMeshTls(fields: Fields, ownNamespace: string, { trustDomain }: MeshIdentity): Requirement {
  // TLS without an identity does not exist in this mesh: whoever speaks it has one.
  const isAny = fields.boolean('unauthenticatedTLS') ?? false;
  const identities = readIdentities(fields, 'identities', trustDomain);
  const accounts = fields.objects('serviceAccounts', account => {
    const namespace = account.string('namespace') ?? '';
    const name = account.requiredString('name');
    return principalOfAccount(trustDomain, namespace === '' ? ownNamespace : namespace, name);
  });
  if (isAny) return ANY_IDENTITY;
  if (!fields.has('identities') && accounts.length === 0)
    fields.reject('identities', 'is required, or serviceAccounts', 'name who may come');
  return { kind: 'identity', principals: [...identities, ...accounts] };
}
