import type { HostLookup } from '#shared/dns/host-lookup.ts';
import { NamedEndpoints } from '#shared/dns/named-endpoints.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import { EMPTY_DELTA, type MeshDelta, type MeshView } from '#shared/workload/mesh-view.ts';
import { type Service, serviceName, type Workload } from '#shared/workload/workload.ts';
import type { FailedHost, WantedHost } from '../../hosts/awaited-hosts.ts';
import { reachableAlone } from './reachable-alone.ts';

export interface AskedHostsOptions {
  /** With everything that has been told to `onDelta`. */
  readonly view: MeshView;
  /** The waypoint's own. */
  readonly place: { readonly clusterId: string; readonly network: string; readonly ips: readonly string[] };
  readonly lookup: HostLookup;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Endpoints come, change or go. */
  readonly onDelta: (delta: MeshDelta) => void;
  readonly onFailed: (failed: FailedHost) => void;
}

interface Asked {
  readonly service: string;
  readonly host: string;
  readonly workload: Workload;
  usedMs: number;
}

interface Failure {
  readonly reason: string;
  readonly atMs: number;
}

/** As Envoy's dynamic forward proxy: so many hosts, and each for so long after its last use. */
const MAX_HOSTS = 1_024;
const IDLE_MS = 300_000;
const SWEEP_MS = 60_000;
/** Nobody is asked again for so long about a host that was not found. */
const FAILURE_MS = 5_000;

/**
 * On the main thread: endpoints of the hosts that requests name, of services that list none. A wildcard's are the addresses its host
 * has now, followed while it is used; those of what is passed through are the addresses that clients dial. They reach the
 * threads as endpoints like any other.
 */
export class AskedHosts {
  readonly #options: AskedHostsOptions;
  readonly #named: NamedEndpoints;
  /** By service and host, those used last at the end. */
  readonly #asked = new Map<string, Asked>();
  readonly #failures = new Map<string, Failure>();
  #sweeper: Timer | undefined;

  constructor(options: AskedHostsOptions) {
    this.#options = options;
    const { clock, logger, lookup, onDelta, place, random } = options;
    this.#named = new NamedEndpoints({
      lookup: reachableAlone(lookup, place.ips),
      clock,
      random,
      logger,
      onDelta,
      onFailure: (host, reason) => this.#onFailure(host, reason),
    });
  }

  /** A request of some thread is for the host. */
  wanted({ host, service: name }: Omit<WantedHost, 'kind'>): void {
    const { clock, onFailed, view } = this.#options;
    const key = keyOf(name, host);
    const nowMs = clock.monotonic();
    const known = this.#asked.get(key);
    if (known !== undefined) {
      known.usedMs = nowMs;
      this.#asked.delete(key);
      this.#asked.set(key, known);
      return;
    }
    const failure = this.#failures.get(key);
    if (failure !== undefined && nowMs - failure.atMs < FAILURE_MS)
      return onFailed({ kind: 'host_failed', service: name, host, reason: failure.reason });
    const service = view.service(name);
    if (service === undefined)
      return onFailed({ kind: 'host_failed', service: name, host, reason: `service ${name} is not known` });
    for (const [oldest, asked] of this.#asked) {
      if (this.#asked.size < MAX_HOSTS) break;
      this.#forget(oldest, asked, `more than ${MAX_HOSTS} hosts are asked for`);
    }
    this.#failures.delete(key);
    this.#sweeper ??= clock.setTimer(SWEEP_MS, () => this.#sweep());
    this.#follow(key, { service: name, host, workload: this.#workload(service, host), usedMs: nowMs });
  }

  /**
   * Before the mesh changes: ports of a service are those of its hosts. Hosts of one that is gone, or lists its endpoints then, are
   * forgotten first, so that they are never taken for endpoints it lists.
   */
  beforeChange({ removedRoutes, removedServices, routes, services }: MeshDelta): void {
    const { view } = this.#options;
    if (this.#asked.size === 0) return;
    const changedServices = new Map(services.map(service => [serviceName(service), service]));
    const changedRoutes = new Map(routes.map(of => [serviceName(of), of]));
    for (const [key, asked] of this.#asked) {
      const { host, service: name } = asked;
      const changed = changedServices.get(name);
      const isGone = changed === undefined && removedServices.includes(name);
      const service = changed ?? (isGone ? undefined : view.service(name));
      const kept = removedRoutes.includes(name) ? undefined : view.routes(name);
      const byHost = (changedRoutes.get(name) ?? kept)?.endpointsByHost === true;
      if (service === undefined || !(byHost || service.loadBalancing?.mode === 'passthrough'))
        this.#forget(key, asked, `${name} has changed`);
      else if (changed !== undefined)
        this.#follow(key, { ...asked, workload: this.#workload(service, host) });
    }
  }

  close(): void {
    this.#sweeper?.cancel();
    this.#named.close();
  }

  #follow(key: string, asked: Asked): void {
    this.#asked.set(key, asked);
    this.#publish({ ...EMPTY_DELTA, workloads: [asked.workload] });
  }

  /** Whoever still waits for it is told. */
  #forget(key: string, { host, service, workload: { uid } }: Asked, reason: string): void {
    this.#asked.delete(key);
    this.#publish({ ...EMPTY_DELTA, removedWorkloads: [uid] });
    this.#options.onFailed({ kind: 'host_failed', service, host, reason });
  }

  /** An address is its own endpoint; a name's come once it is resolved. */
  #publish(delta: MeshDelta): void {
    const { removedWorkloads, workloads, ...rest } = this.#named.apply(delta);
    if (workloads.length + removedWorkloads.length > 0)
      this.#options.onDelta({ ...rest, workloads, removedWorkloads });
  }

  #onFailure(host: string, reason: string): void {
    const { clock } = this.#options;
    for (const [key, asked] of this.#asked) {
      if (asked.host !== host) continue;
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined && this.#failures.size >= MAX_HOSTS) this.#failures.delete(oldest);
      this.#failures.set(key, { reason, atMs: clock.monotonic() });
      this.#forget(key, asked, reason);
    }
  }

  #sweep(): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonic();
    for (const [key, { atMs }] of this.#failures) if (nowMs - atMs >= FAILURE_MS) this.#failures.delete(key);
    for (const [key, asked] of this.#asked)
      if (nowMs - asked.usedMs >= IDLE_MS) this.#forget(key, asked, 'nobody has asked for it for a while');
    const isOver = this.#asked.size + this.#failures.size === 0;
    this.#sweeper = isOver ? undefined : clock.setTimer(SWEEP_MS, () => this.#sweep());
  }

  #workload(service: Service, host: string): Workload {
    const { clusterId, network } = this.#options.place;
    const { hostname, name, namespace } = service;
    const ip = canonicalIp(host);
    return {
      uid: `${clusterId}/networking.istio.io/ServiceEntry/${namespace}/${hostname}/${host}`,
      name: host,
      namespace,
      addresses: ip === undefined ? [] : [ip],
      hostname: host,
      dnsName: '',
      network,
      tunnelProtocol: 'none',
      trustDomain: '',
      serviceAccount: 'default',
      waypoint: undefined,
      networkGateway: undefined,
      node: '',
      // Of the entry: clients choose hosts, and each would make series of its own.
      canonicalName: name,
      canonicalRevision: 'latest',
      workloadType: 'pod',
      workloadName: name,
      nativeTunnel: false,
      applicationTunnel: undefined,
      services: new Map([[serviceName(service), service.ports]]),
      authorizationPolicies: [],
      status: 'healthy',
      clusterId,
      locality: { region: '', zone: '', subzone: '' },
      // Whoever owns the name says which address it has: that must not take the place of the workload that has it.
      networkMode: 'host_network',
      capacity: 1,
    };
  }
}

function keyOf(service: string, host: string): string {
  return `${service} ${host}`;
}
