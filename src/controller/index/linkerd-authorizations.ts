import { selectsLabels } from '#shared/kube/label-selector.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, ignored } from '../translate/diagnostic.ts';
import type {
  AuthenticationRef,
  AuthorizationTarget,
  LinkerdAuthorizationPolicy,
} from '../translate/linkerd-policy/authorization-policy.ts';
import type { ClientAuthorization, Requirement } from '../translate/linkerd-policy/client-authorization.ts';
import { principalOfAccount } from '../translate/linkerd-policy/identity.ts';
import type { ServerAuthorization } from '../translate/linkerd-policy/server-authorization.ts';
import type { HeldServer } from './linkerd-servers.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { addTo } from './multimap.ts';
import type { Parsed } from './parsed-kind.ts';

/**
 * Who is let in where, by AuthorizationPolicies and ServerAuthorizations. One that cannot be followed to its end lets in nobody,
 * and is said.
 */
export class LinkerdAuthorizations {
  readonly #objects: MeshObjects;
  /** By namespace of the Servers. */
  readonly #ofNamespace = new Map<string, ClientAuthorization[]>();
  /** By `<namespace>/<name>` of the Server. */
  readonly #ofServer = new Map<string, ClientAuthorization[]>();
  /** By key of the route's object. */
  readonly #ofRoute = new Map<string, ClientAuthorization[]>();
  /** By namespace. */
  readonly #bySelector = new Map<string, ServerAuthorization[]>();
  readonly #diagnostics: Diagnostic[] = [];

  constructor(objects: MeshObjects) {
    this.#objects = objects;
    for (const policy of objects.linkerd.authorizations.all()) this.#addPolicy(policy);
    for (const authorization of objects.linkerd.serverAuthorizations.all())
      this.#addServerAuthorization(authorization);
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  forServer({ labels, name, namespace }: HeldServer): readonly ClientAuthorization[] {
    const selecting = (this.#bySelector.get(namespace) ?? []).filter(
      ({ servers }) => typeof servers !== 'string' && selectsLabels(servers, labels),
    );
    return [
      ...(this.#ofNamespace.get(namespace) ?? []),
      ...(this.#ofServer.get(`${namespace}/${name}`) ?? []),
      ...selecting.map(({ client }) => client),
    ];
  }

  /** To requests of a route, beside those of its Server. */
  forRoute(key: string): readonly ClientAuthorization[] {
    return this.#ofRoute.get(key) ?? [];
  }

  #addPolicy({ object, value }: Parsed<LinkerdAuthorizationPolicy>): void {
    const { namespace } = object.metadata;
    const { authentications, target } = value;
    const missing = this.#missingTarget(namespace, target);
    if (missing !== undefined) this.#say(object, 'spec.targetRef', missing.name, missing.message);
    const requirements = authentications.map(ref => this.#requirement(object, ref));
    if (requirements.includes(undefined)) return;
    const authorization = requirements.filter(requirement => requirement !== undefined);
    if (target.kind === 'Namespace') addTo(this.#ofNamespace, namespace, authorization);
    else if (target.kind === 'Server') addTo(this.#ofServer, `${namespace}/${target.name}`, authorization);
    else addTo(this.#ofRoute, `${target.route}/${namespace}/${target.name}`, authorization);
  }

  #missingTarget(
    namespace: string,
    target: AuthorizationTarget,
  ): { readonly name: string; readonly message: string } | undefined {
    const { inboundRoutes, servers } = this.#objects.linkerd;
    switch (target.kind) {
      case 'Namespace': {
        const [first] = servers.namesIn(namespace);
        if (first !== undefined) return undefined;
        return {
          name: namespace,
          message: `namespace ${namespace} has no Server: nobody is let in or refused by it`,
        };
      }
      case 'Server':
        if (servers.entry(namespace, target.name) !== undefined) return undefined;
        return {
          name: target.name,
          message: `there is no Server ${namespace}/${target.name}: nobody is let in or refused by it`,
        };
      case 'route':
        if (inboundRoutes.get(target.route)?.entry(namespace, target.name) !== undefined) return undefined;
        return {
          name: target.name,
          message: `there is no ${target.route} ${namespace}/${target.name} with a Server as its parent: nobody is let in by it`,
        };
    }
  }

  #requirement(object: KubeObject, { kind, name, namespace }: AuthenticationRef): Requirement | undefined {
    const { linkerd, options } = this.#objects;
    if (kind === 'ServiceAccount')
      return {
        kind: 'identity',
        principals: [principalOfAccount(options.cluster.trustDomain, namespace, name)],
      };
    const found =
      kind === 'MeshTLSAuthentication'
        ? linkerd.meshTlsAuthentications.get(namespace, name)
        : linkerd.networkAuthentications.get(namespace, name);
    if (found === undefined)
      this.#say(
        object,
        'spec.requiredAuthenticationRefs',
        name,
        `there is no valid ${kind} ${namespace}/${name}: the policy lets in nobody`,
      );
    return found?.value;
  }

  #addServerAuthorization({ object, value }: Parsed<ServerAuthorization>): void {
    const { namespace } = object.metadata;
    const { client, servers } = value;
    if (typeof servers !== 'string') addTo(this.#bySelector, namespace, value);
    else {
      addTo(this.#ofServer, `${namespace}/${servers}`, client);
      if (this.#objects.linkerd.servers.entry(namespace, servers) === undefined)
        this.#say(
          object,
          'spec.server.name',
          servers,
          `there is no Server ${namespace}/${servers}: nobody is let in or refused by it`,
        );
    }
  }

  #say(object: KubeObject, field: string, name: string, message: string): void {
    this.#diagnostics.push(...ignored(object, field, name, message, 'create it or correct the name'));
  }
}
