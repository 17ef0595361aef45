import { type AuthorizationPolicy, EMPTY_MATCH, policyName, type Rule } from '#shared/authz/policy.ts';
import { LINKERD_DEFAULT_PREFIX, LINKERD_SERVER_PREFIX } from '#shared/authz/decision.ts';
import type { RouteRule } from '#shared/route/model.ts';
import { type RankedRule, sortByPrecedence } from '#shared/route/precedence.ts';
import { selectsLabels } from '#shared/kube/label-selector.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { type AccessPolicy, letInBy } from '../translate/linkerd-policy/access-policy.ts';
import { containerPorts } from '../translate/pod-to-workload/pod.ts';
import { type AuthorizedRoute, serverRules } from '../translate/linkerd-policy/server-rules.ts';
import { targetPortOf } from '../translate/pod-to-workload/pod-to-workload.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import { selectedBy } from '../translate/linkerd-policy/server.ts';
import { accessTo, inboundAccess, NOTHING_SAID } from './linkerd-inbound-access.ts';
import { LinkerdAuthorizations } from './linkerd-authorizations.ts';
import { type HeldServer, heldServers } from './linkerd-servers.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { PolicySubject } from './policy-reach.ts';
import { SelectorIndex } from './selector-index.ts';

/** What one Server, or the default for ports without one, refuses. Without rules: nothing. */
interface Refusing {
  readonly namespace: string;
  /** Of its policies, but for the port. */
  readonly name: string;
  readonly enforced: readonly Rule[];
  /** Of `audit`: what would be refused and is told to the log. */
  readonly audited: readonly Rule[];
}

/**
 * Linkerd's Servers and what names them, as policies that deny. For each port of a workload one Server decides, or the default of its
 * pod or namespace: so each becomes a DENY for that port of whoever it lets in not. What other policies deny, or allow nobody but
 * some, holds beside it.
 */
export class LinkerdPolicies {
  readonly #objects: MeshObjects;
  /** By namespace. */
  readonly servers: ReadonlyMap<string, readonly HeldServer[]>;
  readonly #authorizations: LinkerdAuthorizations;
  /** By namespace. */
  readonly #selecting: Readonly<Record<'pods' | 'machines', ReadonlyMap<string, SelectorIndex<HeldServer>>>>;
  /** A workload is asked for by its ztunnel and by each of its services. */
  readonly #holders = new WeakMap<WorkloadSpec, ReadonlyMap<number, HeldServer>>();
  readonly #refusals = new Map<HeldServer, Refusing>();
  /** Found while workloads were asked about: a Server has a policy for each port number its pods have under its name. */
  readonly #found = new Map<string, AuthorizationPolicy>();
  readonly #said: readonly Diagnostic[];

  constructor(objects: MeshObjects) {
    this.#objects = objects;
    const { diagnostics, servers } = heldServers(objects);
    this.servers = servers;
    const by = (kind: 'pods' | 'machines'): ReadonlyMap<string, SelectorIndex<HeldServer>> =>
      new Map([...servers].map(([ns, held]) => [ns, new SelectorIndex(held, one => one.server[kind])]));
    this.#selecting = { pods: by('pods'), machines: by('machines') };
    this.#authorizations = new LinkerdAuthorizations(objects);
    this.#said = diagnostics;
  }

  get diagnostics(): readonly Diagnostic[] {
    return [...this.#said, ...this.#authorizations.diagnostics];
  }

  /** Whether workloads have to be asked about to know all policies. */
  get isUsed(): boolean {
    return this.servers.size > 0 || this.#found.size > 0;
  }

  get foundCount(): number {
    return this.#found.size;
  }

  /** For ztunnels; ask for every workload's names first. */
  found(): readonly AuthorizationPolicy[] {
    return [...this.#found.values()];
  }

  namesFor(spec: WorkloadSpec): readonly string[] {
    const policies = this.#policiesFor(spec);
    for (const policy of policies) this.#found.set(policyName(policy), policy);
    return policies.map(policyName);
  }

  /**
   * For the waypoint of a service, which knows ports of the service alone and not which endpoint a request will reach: what holds for
   * some endpoint behind a port holds for the port.
   */
  forService({ endpoints, kind, ports }: PolicySubject): readonly AuthorizationPolicy[] {
    // The ports of a workload are its own.
    if (kind === 'workload') return endpoints.flatMap(endpoint => this.#policiesFor(endpoint));
    const found = new Map<
      string,
      { readonly refusing: Refusing; readonly port: string; readonly ports: Set<number> }
    >();
    const add = (refusing: Refusing, port: string, servicePort: number): void => {
      const key = `${refusing.namespace}/${refusing.name}/${port}`;
      found.getOrInsertComputed(key, () => ({ refusing, port, ports: new Set() })).ports.add(servicePort);
    };
    for (const endpoint of endpoints) {
      const holders = this.holders(endpoint);
      const inbound = inboundAccess(this.#objects, endpoint);
      if (holders.size === 0 && inbound === NOTHING_SAID) continue;
      for (const port of ports) {
        const number = targetPortOf(port, endpoint);
        if (number === undefined) continue;
        const server = holders.get(number);
        if (server !== undefined) add(this.#refusalOf(server), String(number), port.port);
        else add(refusalByDefault(endpoint, accessTo(number, inbound)), '', port.port);
      }
    }
    return [...found.values()].flatMap(({ port, ports: held, refusing }) =>
      policiesOf(refusing, port, { destinationPorts: [...held].sort((a, b) => a - b) }),
    );
  }

  /**
   * What Servers do to requests, by the filters of their routes, for who stands before them. As with policies, what one Server behind a
   * port of a service says holds for the port.
   */
  inboundRules({ endpoints, kind, ports }: PolicySubject): readonly RouteRule[] {
    const held = new Map<HeldServer, Set<number>>();
    for (const endpoint of endpoints) {
      for (const [number, server] of this.holders(endpoint)) {
        const numbers =
          kind === 'workload'
            ? [number]
            : ports.filter(port => targetPortOf(port, endpoint) === number).map(({ port }) => port);
        for (const port of numbers) held.getOrInsertComputed(server, () => new Set()).add(port);
      }
    }
    const ranked = [...held].flatMap(([server, numbers]) => {
      const forPorts = [...numbers].sort((a, b) => a - b);
      return inboundRulesOf(server).map(one => ({ ...one, rule: { ...one.rule, ports: forPorts } }));
    });
    return ranked.some(({ rule }) => rule.filters.length > 0) ? sortByPrecedence(ranked) : [];
  }

  #policiesFor(spec: WorkloadSpec): readonly AuthorizationPolicy[] {
    const holders = this.holders(spec);
    return [
      ...[...holders].flatMap(([port, server]) =>
        policiesOf(this.#refusalOf(server), String(port), { destinationPorts: [port] }),
      ),
      ...this.#byDefault(spec, new Set(holders.keys())),
    ];
  }

  /** For ports that no Server selects. */
  #byDefault(spec: WorkloadSpec, taken: ReadonlySet<number>): readonly AuthorizationPolicy[] {
    const inbound = inboundAccess(this.#objects, spec);
    if (inbound === NOTHING_SAID) return [];
    const apart = [...inbound.identityPorts].filter(port => !taken.has(port));
    const others = [...taken, ...apart].sort((a, b) => a - b);
    const suffix = others.length === 0 ? '' : `but_${others.join('_')}`;
    return [
      ...policiesOf(refusalByDefault(spec, inbound.access), suffix, { notDestinationPorts: others }),
      ...apart.flatMap(port => {
        const refusing = refusalByDefault(spec, accessTo(port, inbound));
        return policiesOf(refusing, String(port), { destinationPorts: [port] });
      }),
    ];
  }

  /** Which Server decides about which port of a workload: of several the oldest, then the first by name. */
  holders(spec: WorkloadSpec): ReadonlyMap<number, HeldServer> {
    return this.#holders.getOrInsertComputed(spec, () => this.#findHolders(spec));
  }

  #findHolders(spec: WorkloadSpec): ReadonlyMap<number, HeldServer> {
    const holders = new Map<number, HeldServer>();
    const selecting = this.#selecting[selectedBy(spec)].get(spec.namespace);
    for (const server of selecting?.select(spec.labels) ?? []) {
      for (const port of this.portsOf(server, spec)) if (!holders.has(port)) holders.set(port, server);
    }
    return holders;
  }

  /** Of a workload, by number. Containers of a pod may have ports of the same name. */
  portsOf({ server }: HeldServer, spec: WorkloadSpec): readonly number[] {
    const { port } = server;
    const selector = server[selectedBy(spec)];
    if (selector === undefined || !selectsLabels(selector, spec.labels)) return [];
    if (typeof port === 'number') return [port];
    const pod = this.#objects.pods.get(spec.namespace, spec.name);
    if (pod?.value?.uid === spec.uid) return containerPorts(pod.object, port);
    const named = spec.namedPorts.get(port);
    return named === undefined ? [] : [named];
  }

  /** What a Server refuses on its ports. */
  rulesOf(server: HeldServer): readonly Rule[] {
    return this.#refusalOf(server).enforced;
  }

  #refusalOf(server: HeldServer): Refusing {
    return this.#refusals.getOrInsertComputed(server, () => this.#refusal(server));
  }

  #refusal(held: HeldServer): Refusing {
    const { name, namespace, server } = held;
    const named = this.#authorizations.forServer(held);
    const routes: readonly AuthorizedRoute[] = held.routes.map(({ key, matches }) => ({
      matches,
      authorizations: this.#authorizations.forRoute(key),
    }));
    const enforced = serverRules([...named, ...letInBy(server.access)], routes);
    const audited = server.access === 'audit' ? serverRules(named, routes) : [];
    return { namespace, name: `${LINKERD_SERVER_PREFIX}${name}`, enforced, audited };
  }
}

/** Those without filters as well: what is theirs is no other rule's. */
function inboundRulesOf({ routes }: HeldServer): readonly RankedRule[] {
  return routes.flatMap(({ matches }) => matches.map(({ rank }) => rank.ranked));
}

function refusalByDefault(
  { namespace }: WorkloadSpec,
  access: AccessPolicy = 'all-unauthenticated',
): Refusing {
  const enforced = serverRules(letInBy(access), []);
  const audited = access === 'audit' ? serverRules([], []) : [];
  return { namespace, name: `${LINKERD_DEFAULT_PREFIX}${access}`, enforced, audited };
}

type Ports = Partial<Record<'destinationPorts' | 'notDestinationPorts', readonly number[]>>;

/** @param suffix tells apart what is for other ports */
function policiesOf(
  { audited, enforced, name, namespace }: Refusing,
  suffix: string,
  ports: Ports,
): AuthorizationPolicy[] {
  const full = suffix === '' ? name : `${name}_${suffix}`;
  const clauses = [{ matches: [{ ...EMPTY_MATCH, ...ports }] }];
  const policy = (rules: readonly Rule[], dryRun: boolean): AuthorizationPolicy[] =>
    rules.length === 0
      ? []
      : [
          {
            name: dryRun ? `${full}_audit` : full,
            namespace,
            scope: 'workload_selector',
            action: 'deny',
            rules: rules.map(rule => ({ clauses: [...clauses, ...rule.clauses] })),
            dryRun,
            provider: undefined,
          },
        ];
  return [...policy(enforced, false), ...policy(audited, true)];
}
