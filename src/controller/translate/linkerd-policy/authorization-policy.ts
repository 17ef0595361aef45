import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { GATEWAY_GROUP, kindAmong, POLICY_GROUP, readReference } from './reference.ts';

/** Linkerd AuthorizationPolicy: whoever meets all authentications may come to the target. */
export interface LinkerdAuthorizationPolicy {
  readonly target: AuthorizationTarget;
  readonly authentications: readonly AuthenticationRef[];
}

/** In the policy's own namespace. A route by its name among kinds (`kindName`). */
export type AuthorizationTarget =
  | { readonly kind: 'Namespace' }
  | { readonly kind: 'Server'; readonly name: string }
  | { readonly kind: 'route'; readonly route: string; readonly name: string };

export interface AuthenticationRef {
  readonly kind: 'MeshTLSAuthentication' | 'NetworkAuthentication' | 'ServiceAccount';
  readonly namespace: string;
  readonly name: string;
}

export function translateLinkerdAuthorization(object: KubeObject): Translated<LinkerdAuthorizationPolicy> {
  const diagnostics = new Diagnostics(object);
  const { namespace } = object.metadata;
  const policy = readSpec(object, diagnostics, spec => readPolicy(spec, namespace));
  return diagnostics.conclude(policy ?? NOTHING);
}

const NOTHING: LinkerdAuthorizationPolicy = { target: { kind: 'Server', name: '' }, authentications: [] };

function readPolicy(spec: Fields, namespace: string): LinkerdAuthorizationPolicy {
  const target = spec.object('targetRef', fields => readTarget(fields, namespace));
  if (!spec.has('targetRef'))
    spec.reject('targetRef', 'is required', 'name a Server, a route or the namespace');
  const authentications = spec
    .objects('requiredAuthenticationRefs', fields => readAuthentication(fields, namespace))
    .filter(ref => ref !== undefined);
  // An empty list lets in everybody, as with Linkerd: so it has to be written.
  if (!spec.has('requiredAuthenticationRefs'))
    spec.reject('requiredAuthenticationRefs', 'is required', 'name authentications; [] lets in everybody');
  return { target: target ?? NOTHING.target, authentications };
}

const TARGETS = [
  `${POLICY_GROUP}/Server`,
  `${POLICY_GROUP}/HTTPRoute`,
  `${GATEWAY_GROUP}/HTTPRoute`,
  `${GATEWAY_GROUP}/GRPCRoute`,
  '/Namespace',
] as const;

function readTarget(fields: Fields, ownNamespace: string): AuthorizationTarget | undefined {
  const ref = readReference(fields);
  fields.refused('namespace', 'remove it: a policy is for targets of its own namespace');
  const { name } = ref;
  switch (kindAmong(fields, ref, TARGETS)) {
    case 'policy.linkerd.io/Server':
      return { kind: 'Server', name };
    case 'policy.linkerd.io/HTTPRoute':
      return { kind: 'route', route: 'HTTPRoute.policy.linkerd.io', name };
    case 'gateway.networking.k8s.io/HTTPRoute':
    case 'gateway.networking.k8s.io/GRPCRoute':
      return { kind: 'route', route: ref.kind, name };
    case '/Namespace':
      if (name !== ownNamespace)
        fields.reject(
          'name',
          'is another namespace than the policy’s',
          `write ${ownNamespace}, or move the policy`,
        );
      return { kind: 'Namespace' };
    case undefined:
      return undefined;
  }
}

const AUTHENTICATIONS = [
  `${POLICY_GROUP}/MeshTLSAuthentication`,
  `${POLICY_GROUP}/NetworkAuthentication`,
  '/ServiceAccount',
] as const;

function readAuthentication(fields: Fields, ownNamespace: string): AuthenticationRef | undefined {
  const ref = readReference(fields);
  const namespace = fields.string('namespace') ?? ownNamespace;
  const { name } = ref;
  switch (kindAmong(fields, ref, AUTHENTICATIONS)) {
    case 'policy.linkerd.io/MeshTLSAuthentication':
      return { kind: 'MeshTLSAuthentication', namespace, name };
    case 'policy.linkerd.io/NetworkAuthentication':
      return { kind: 'NetworkAuthentication', namespace, name };
    case '/ServiceAccount':
      return { kind: 'ServiceAccount', namespace, name };
    case undefined:
      return undefined;
  }
}
