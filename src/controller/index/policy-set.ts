import { type AuthorizationPolicy, policyName, type ServiceAccountMatch } from '#shared/authz/policy.ts';
import type { AuthorizationTranslation } from '../translate/authorization-policy/authorization-policy.ts';
import { l4Rules } from '../translate/authorization-policy/l4-part.ts';
import { heldByWaypoint, isOfLastHop } from '../translate/authorization-policy/last-hop.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import { effectiveMtls, mtlsPolicy } from '../translate/peer-authentication/effective-mtls.ts';
import type { PeerAuthentication } from '../translate/peer-authentication/peer-authentication.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import {
  type CompiledIntentions,
  compileIntentions,
  type IntentionPolicy,
} from '../translate/service-intentions/compile-intentions.ts';
import { exemptedPolicies, type MeshPolicy, nameIn } from './exempted-policies.ts';
import { LinkerdPolicies } from './linkerd-policies.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { policiesThatClose } from './never-good-policies.ts';
import type { RequestAuthenticationTranslation } from '../translate/request-authentication/request-authentication.ts';
import type { RouteRule } from '#shared/route/model.ts';
import type { TokenIssuer } from '#shared/route/token-issuer.ts';
import { appliesTo, type PolicySubject, selects } from './policy-reach.ts';
import { providersByName } from './token-providers.ts';
import { namespacesOfWorkloads, servicesOf, specsIn, workloadKinds } from './workload-specs.ts';
import { waypointOfService } from './waypoint-of-service.ts';
import { WaypointPrincipals } from './waypoint-principals.ts';

/**
 * Every policy of every dialect at one moment, and which workloads each is for. Made anew when policies, or what they
 * refer to, change.
 */
export class PolicySet {
  readonly #objects: MeshObjects;
  readonly #authorizations: readonly AuthorizationTranslation[];
  /** What is said of policies that close, as they were never good. */
  readonly #closed: readonly Diagnostic[];
  readonly #requestAuthentications: readonly RequestAuthenticationTranslation[];
  readonly #peerAuthentications: readonly PeerAuthentication[];
  readonly #intentions: CompiledIntentions;
  readonly #linkerd: LinkerdPolicies;
  readonly #waypoints: WaypointPrincipals;
  /** Whether services are behind waypoints anywhere. */
  readonly hasWaypoints: boolean;
  /** Found while workloads were asked about: one policy serves all workloads of the same mode. */
  readonly #mtls = new Map<string, AuthorizationPolicy>();
  /** A workload is asked about for its ztunnel, and for a waypoint before its own addresses. */
  readonly #names = new WeakMap<WorkloadSpec, readonly string[]>();

  constructor(objects: MeshObjects) {
    this.#objects = objects;
    this.#waypoints = new WaypointPrincipals(objects);
    this.hasWaypoints = this.#waypoints.behind(undefined).length > 0;
    const neverGood = policiesThatClose(objects);
    this.#closed = neverGood.diagnostics;
    this.#authorizations = [
      ...[...objects.authorizationPolicies.all()].map(({ value }) => value),
      ...neverGood.authorizations,
    ];
    this.#requestAuthentications = [...objects.requestAuthentications.all()].map(({ value }) => value);
    this.#peerAuthentications = [
      ...[...objects.peerAuthentications.all()].map(({ value }) => value),
      ...neverGood.peerAuthentications,
    ];
    this.#linkerd = new LinkerdPolicies(objects);
    let accounts: Accounts | undefined;
    let providers: ReadonlyMap<string, TokenIssuer> | undefined;
    this.#intentions = compileIntentions(
      [...objects.intentions.all()].map(({ value }) => value),
      {
        defaultAction: 'allow',
        accountsOf: service => (accounts ??= accountsByService(objects)).get(service) ?? [],
        withoutWaypoint: service => servicesWithoutWaypoint(objects, service),
        providerOf: name => (providers ??= providersByName(objects)).get(name),
      },
    );
  }

  /**
   * What the translation of intentions found, and of Linkerd's policies, all of them together, and which policies close as they were
   * never good.
   */
  get diagnostics(): readonly Diagnostic[] {
    return [...this.#intentions.diagnostics, ...this.#linkerd.diagnostics, ...this.#closed];
  }

  /** Whether some policies are known only when every workload has been asked about. */
  get findsPolicies(): boolean {
    return this.#peerAuthentications.length > 0 || this.#linkerd.isUsed;
  }

  /** Policies that were found by asking for workloads so far. */
  get foundCount(): number {
    return this.#mtls.size + this.#linkerd.foundCount;
  }

  /** Of the intentions, to see whether pods that came or went changed what they mean. */
  get intentions(): CompiledIntentions {
    return this.#intentions;
  }

  /** Names of the policies that select this workload, sorted. A gateway is not what a policy for workloads is about. */
  namesFor(spec: WorkloadSpec): readonly string[] {
    return this.#names.getOrInsertComputed(spec, () => this.#findNames(spec));
  }

  #findNames(spec: WorkloadSpec): readonly string[] {
    if (spec.labels[GATEWAY_NAME] !== undefined) return [];
    const names = this.#authorizations
      .filter(policy => policy.l4 !== undefined && selects({ ...policy, ...policy.full }, spec))
      .map(policy => nameIn(this.#reachOf(policy, policy.full), spec.namespace, this.hasWaypoints));
    const { rootNamespace } = this.#objects.options;
    const mtls = mtlsPolicy(effectiveMtls(spec, this.#peerAuthentications, rootNamespace), rootNamespace);
    if (mtls !== undefined) {
      this.#mtls.set(policyName(mtls), mtls);
      names.push(policyName(mtls));
    }
    names.push(...this.#linkerd.namesFor(spec));
    names.push(
      ...this.#intentionsFor(spec).map(one => nameIn(meshPolicyOf(one), spec.namespace, this.hasWaypoints)),
    );
    return names.sort();
  }

  /** What servers behind a service do to requests that are let in. */
  inboundRulesFor(subject: PolicySubject): readonly RouteRule[] {
    return this.#linkerd.inboundRules(subject);
  }

  /** The policies that ztunnels get. Ask for every workload's names first: they decide which policies of mTLS, and of Linkerd, there are. */
  l4(): readonly AuthorizationPolicy[] {
    const namespaces = this.hasWaypoints ? this.namespaces : undefined;
    const authorizations = this.#authorizations.flatMap(authorization => {
      const { full, l4 } = authorization;
      if (l4 === undefined) return [];
      return exemptedPolicies(this.#reachOf(authorization, l4), namespaces, namespace =>
        this.#waypoints.behind(namespace).filter(principal => !isOfLastHop(full, principal)),
      );
    });
    const others = [
      ...this.#intentions.policies.map(meshPolicyOf),
      ...this.#linkerd.found().map(policy => ({ policy, namespaces: [policy.namespace] })),
    ].flatMap(({ namespaces: reached, policy }) => {
      const { rules } = l4Rules(policy.action, policy.rules);
      const reach = { namespaces: reached, policy: { ...policy, rules } };
      return exemptedPolicies(reach, namespaces, namespace => this.#waypoints.behind(namespace));
    });
    return [...authorizations, ...others, ...this.#mtls.values()];
  }

  /** Where policies for the whole mesh are given out, by namespace. */
  get namespaces(): readonly string[] {
    const kinds = workloadKinds(this.#objects);
    return [...new Set(kinds.flatMap(kind => [...kind.namespaces()]))].sort();
  }

  #reachOf(
    { full, selectsEveryNamespace }: AuthorizationTranslation,
    policy: AuthorizationPolicy,
  ): MeshPolicy {
    const isMeshWide = selectsEveryNamespace || full.namespace === this.#objects.options.rootNamespace;
    return { policy, namespaces: isMeshWide ? undefined : [full.namespace] };
  }

  /**
   * The policies a waypoint holds against requests for a service: those attached to it or to the waypoint, and all that
   * hold for its endpoints, whose ztunnels let the waypoint pass in turn. What names the waypoint itself is left to them.
   */
  forService(subject: PolicySubject): readonly AuthorizationPolicy[] {
    const found = new Map<string, AuthorizationPolicy>();
    const waypoint = subject.waypoint === undefined ? [] : this.#waypoints.of(subject.waypoint);
    for (const authorization of this.#authorizations) {
      const { full } = authorization;
      const { namespace, scope } = full;
      // Most are for other services: that is seen at less cost than whom a policy names.
      if (!appliesTo({ ...authorization, namespace, scope }, subject, this.#objects)) continue;
      const held = authorization.targets.length > 0 ? full : heldByWaypoint(full, waypoint);
      if (held !== undefined) found.set(policyName(full), held);
    }
    for (const endpoint of subject.endpoints) {
      for (const { policy } of this.#intentionsFor(endpoint)) found.set(policyName(policy), policy);
    }
    for (const policy of this.#linkerd.forService(subject)) found.set(policyName(policy), policy);
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, policy]) => policy);
  }

  /** Whose tokens requests for a service may bear; chosen as its policies are. */
  tokenIssuersFor(subject: PolicySubject): readonly TokenIssuer[] {
    const ofIntentions = subject.endpoints.flatMap(endpoint =>
      this.#intentionsFor(endpoint).flatMap(({ issuers }) => issuers),
    );
    return this.#requestAuthentications
      .filter(authentication => appliesTo(authentication, subject, this.#objects))
      .flatMap(({ issuers }) => issuers)
      .concat(...new Set(ofIntentions))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #intentionsFor(spec: WorkloadSpec): readonly IntentionPolicy[] {
    const own = this.#intentions.policies.filter(
      ({ selects: accounts }) =>
        accounts !== 'others' && accounts.some(account => isAccountOf(account, spec)),
    );
    return own.length > 0 ? own : this.#intentions.policies.filter(p => p.selects === 'others');
  }
}

function meshPolicyOf({ policy, selects: accounts }: IntentionPolicy): MeshPolicy {
  if (accounts === 'others') return { policy, namespaces: undefined };
  return { policy, namespaces: [...new Set(accounts.map(({ namespace }) => namespace))].sort() };
}

function isAccountOf(account: ServiceAccountMatch, spec: WorkloadSpec): boolean {
  return account.serviceAccount === spec.serviceAccount && account.namespace === spec.namespace;
}

function servicesWithoutWaypoint(objects: MeshObjects, name: string): readonly string[] {
  return [...objects.services.namespaces()]
    .filter(namespace => objects.services.get(namespace, name) !== undefined)
    .filter(namespace => waypointOfService(objects, namespace, name) === undefined)
    .map(namespace => `${namespace}/${name}`)
    .sort();
}

type Accounts = ReadonlyMap<string, readonly ServiceAccountMatch[]>;

/** Accounts of the workloads behind the Services of each name, in every namespace; else the accounts of that name. */
function accountsByService(objects: MeshObjects): Accounts {
  const behind = new Map<string, Map<string, ServiceAccountMatch>>();
  const named = new Map<string, Map<string, ServiceAccountMatch>>();
  for (const namespace of namespacesOfWorkloads(objects)) {
    for (const spec of specsIn(objects, namespace)) {
      const account = { namespace, serviceAccount: spec.serviceAccount };
      addAccount(named, account.serviceAccount, account);
      for (const { name } of servicesOf(objects, spec)) addAccount(behind, name, account);
    }
  }
  return new Map([...named, ...behind].map(([name, accounts]) => [name, sorted(accounts)]));
}

function addAccount(
  to: Map<string, Map<string, ServiceAccountMatch>>,
  name: string,
  account: ServiceAccountMatch,
): void {
  const key = `${account.namespace}/${account.serviceAccount}`;
  to.getOrInsertComputed(name, () => new Map()).set(key, account);
}

function sorted(accounts: ReadonlyMap<string, ServiceAccountMatch>): readonly ServiceAccountMatch[] {
  return [...accounts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, account]) => account);
}
