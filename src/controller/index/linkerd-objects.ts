import type { KubeObject } from '../source/kube-object.ts';
import type { Cluster } from '../translate/cluster.ts';
import {
  translateMeshTls,
  translateNetworkAuthentication,
} from '../translate/linkerd-policy/authentication.ts';
import { translateLinkerdAuthorization } from '../translate/linkerd-policy/authorization-policy.ts';
import {
  type InboundRoute,
  serverParents,
  translateInboundRoute,
} from '../translate/linkerd-policy/inbound-route.ts';
import { readExternalWorkload } from '../translate/external-workload/external-workload.ts';
import { translateServerAuthorization } from '../translate/linkerd-policy/server-authorization.ts';
import { translateServer } from '../translate/linkerd-policy/server.ts';
import { translateRateLimitPolicy } from '../translate/linkerd-rate-limit/rate-limit-policy.ts';
import { ParsedKind } from './parsed-kind.ts';

/** Objects of Linkerd's: Servers, and what is said of who may come to them, and machines. */
export class LinkerdObjects {
  readonly externalWorkloads;
  readonly servers = new ParsedKind(translateServer);
  readonly authorizations = new ParsedKind(translateLinkerdAuthorization);
  readonly meshTlsAuthentications;
  readonly networkAuthentications = new ParsedKind(translateNetworkAuthentication);
  readonly serverAuthorizations;
  readonly rateLimitPolicies;
  /** By kind: routes with Servers as parents, as those see them. What else they say is among the routes of Services. */
  readonly inboundRoutes: ReadonlyMap<string, ParsedKind<InboundRoute>> = new Map(
    ['HTTPRoute', 'HTTPRoute.policy.linkerd.io', 'GRPCRoute'].map(kind => [
      kind,
      new ParsedKind(translateInboundRoute),
    ]),
  );

  constructor(cluster: Cluster) {
    this.externalWorkloads = new ParsedKind(object => readExternalWorkload(object, cluster));
    this.meshTlsAuthentications = new ParsedKind(object => translateMeshTls(object, cluster));
    this.serverAuthorizations = new ParsedKind(object => translateServerAuthorization(object, cluster));
    this.rateLimitPolicies = new ParsedKind(object => translateRateLimitPolicy(object, cluster));
  }

  /** By name (`kindName`); without the routes, which are read for others too. */
  kinds(): readonly (readonly [string, ParsedKind<unknown>])[] {
    return [
      ['ExternalWorkload', this.externalWorkloads],
      ['Server', this.servers],
      ['AuthorizationPolicy.policy.linkerd.io', this.authorizations],
      ['MeshTLSAuthentication', this.meshTlsAuthentications],
      ['NetworkAuthentication', this.networkAuthentications],
      ['ServerAuthorization', this.serverAuthorizations],
      ['HTTPLocalRateLimitPolicy', this.rateLimitPolicies],
    ];
  }

  /** An object of any kind. */
  upsertRoute(object: KubeObject): void {
    const { name, namespace } = object.metadata;
    if (serverParents(object).length > 0) this.inboundRoutes.get(object.kind)?.upsert(object);
    else this.removeRoute(object.kind, namespace, name);
  }

  removeRoute(kind: string, namespace: string, name: string): void {
    this.inboundRoutes.get(kind)?.remove(namespace, name);
  }
}
