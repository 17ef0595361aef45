import type { ServiceRoutes, Subset } from '../route/model.ts';
import { EMPTY_DELTA, type MeshDelta } from '../workload/mesh-view.ts';
import { serviceName, type Workload } from '../workload/workload.ts';
import { HostResolver, type HostResolverOptions } from './host-resolver.ts';

export interface NamedEndpointsOptions extends Omit<HostResolverOptions, 'onChange'> {
  /** What names stand for has changed. */
  readonly onDelta: (delta: MeshDelta) => void;
}

/** A workload that is known by name, and the addresses that stand for it now. */
interface NamedWorkload {
  readonly workload: Workload;
  readonly ips: readonly string[];
}

interface Change {
  readonly workloads: readonly Workload[];
  readonly removed: readonly string[];
}

/**
 * Endpoints that are known by name (`Workload.hostname` without an address): each address a name stands for takes its place,
 * as a workload of its own with uid `<uid>/<ip>`. Sits between discovery and the stores, which know addresses alone.
 */
export class NamedEndpoints {
  readonly #resolver: HostResolver;
  readonly #onDelta: (delta: MeshDelta) => void;
  readonly #named = new Map<string, NamedWorkload>();
  readonly #uidsByHost = new Map<string, Set<string>>();
  /** As they came, those with subsets: these name workloads by uid. */
  readonly #routes = new Map<string, ServiceRoutes>();

  constructor({ onDelta, ...options }: NamedEndpointsOptions) {
    this.#onDelta = onDelta;
    this.#resolver = new HostResolver({ ...options, onChange: hostname => this.#onResolved(hostname) });
  }

  /** The same delta where no name is in it. */
  apply(delta: MeshDelta): MeshDelta {
    this.#followRoutes(delta);
    const touched = new Set<string>();
    const workloads: Workload[] = [];
    const removed: string[] = [];
    for (const uid of delta.removedWorkloads) {
      if (this.#named.has(uid)) touched.add(uid);
      removed.push(...this.#replace(uid, undefined).removed);
    }
    for (const workload of delta.workloads) {
      const { uid } = workload;
      const named = isNamed(workload);
      if (named || this.#named.has(uid)) touched.add(uid);
      const change = this.#replace(uid, named ? workload : undefined);
      workloads.push(...(named ? change.workloads : [workload]));
      removed.push(...change.removed);
    }
    const ownRemovals = delta.removedWorkloads.filter(uid => !touched.has(uid));
    const hasNames = this.#named.size > 0 && delta.routes.length > 0;
    if (touched.size === 0 && !hasNames) return delta;
    return {
      ...delta,
      workloads,
      removedWorkloads: [...ownRemovals, ...removed],
      routes: this.#routesAbout(touched, delta.routes),
    };
  }

  close(): void {
    this.#resolver.close();
  }

  #onResolved(hostname: string): void {
    const uids = this.#uidsByHost.get(hostname) ?? [];
    const changes = Array.from(uids, uid => this.#replace(uid, this.#named.get(uid)?.workload));
    this.#onDelta({
      ...EMPTY_DELTA,
      workloads: changes.flatMap(({ workloads }) => workloads),
      removedWorkloads: changes.flatMap(({ removed }) => removed),
      routes: this.#routesAbout(new Set(uids), []),
    });
  }

  /** @param workload undefined: it is known by name no more */
  #replace(uid: string, workload: Workload | undefined): Change {
    const before = this.#named.get(uid);
    if (before === undefined && workload === undefined) return NO_CHANGE;
    this.#follow(uid, before?.workload.hostname, workload?.hostname);
    const ips = workload === undefined ? [] : this.#resolver.addresses(workload.hostname);
    if (workload === undefined) this.#named.delete(uid);
    else this.#named.set(uid, { workload, ips });
    const gone = before?.ips.filter(ip => !ips.includes(ip)) ?? [];
    return {
      workloads: workload === undefined ? [] : ips.map(ip => atAddress(workload, ip)),
      removed: gone.map(ip => uidAt(uid, ip)),
    };
  }

  #follow(uid: string, before: string | undefined, now: string | undefined): void {
    if (before === now) return;
    if (now !== undefined) {
      const uids = this.#uidsByHost.get(now);
      if (uids === undefined) this.#uidsByHost.set(now, new Set([uid]));
      else uids.add(uid);
      this.#resolver.watch(now);
    }
    if (before === undefined) return;
    const uids = this.#uidsByHost.get(before);
    uids?.delete(uid);
    if (uids?.size !== 0) return;
    this.#uidsByHost.delete(before);
    this.#resolver.unwatch(before);
  }

  #followRoutes({ removedRoutes, routes }: MeshDelta): void {
    for (const name of removedRoutes) this.#routes.delete(name);
    for (const one of routes) {
      const name = serviceName(one);
      if (one.subsets.length > 0) this.#routes.set(name, one);
      else this.#routes.delete(name);
    }
  }

  /** Those that came, and those that name a workload whose addresses are others now. */
  #routesAbout(uids: ReadonlySet<string>, came: readonly ServiceRoutes[]): readonly ServiceRoutes[] {
    const names = new Set(came.map(serviceName));
    const others = [...this.#routes].filter(
      ([name, { subsets }]) =>
        !names.has(name) && subsets.some(({ workloads }) => workloads.some(uid => uids.has(uid))),
    );
    return [...came, ...others.map(([, routes]) => routes)].map(routes => ({
      ...routes,
      subsets: routes.subsets.map(subset => this.#withAddresses(subset)),
    }));
  }

  #withAddresses(subset: Subset): Subset {
    if (!subset.workloads.some(uid => this.#named.has(uid))) return subset;
    const workloads = subset.workloads.flatMap(uid => {
      const named = this.#named.get(uid);
      return named === undefined ? [uid] : named.ips.map(ip => uidAt(uid, ip));
    });
    return { ...subset, workloads };
  }
}

const NO_CHANGE: Change = Object.freeze({ workloads: [], removed: [] });

function isNamed({ addresses, hostname }: Workload): boolean {
  return hostname !== '' && addresses.length === 0;
}

function uidAt(uid: string, ip: string): string {
  return `${uid}/${ip}`;
}

function atAddress(workload: Workload, ip: string): Workload {
  return { ...workload, uid: uidAt(workload.uid, ip), addresses: [ip] };
}
