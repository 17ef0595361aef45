import { type Server, createServer } from 'node:http';
import { systemClock } from '#shared/lifecycle/clock.ts';
import type { ServiceRoutes } from '#shared/route/model.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { noRoutes, service } from '#shared/testing/topology.ts';
import { EMPTY_DELTA } from '#shared/workload/mesh-view.ts';
import type { Service } from '#shared/workload/workload.ts';
import { AskedHosts } from '../control/hosts/asked-hosts.ts';
import { GATEWAY, VIP, WAYPOINT } from './deploy.ts';
import { type AppServer, WaypointLab } from './waypoint-lab.ts';

/** A waypoint whose main thread finds the endpoints of hosts, by names that a test gives. */
export class HostsLab {
  readonly mesh: WaypointLab;
  /** What each name stands for: addresses by the last number of `mesh.ip`. */
  readonly names = new Map<string, readonly number[]>();
  readonly lookups: string[] = [];
  /** Lookups wait for it. */
  gate: Promise<void> = Promise.resolve();
  /** The port of every server. */
  port = 0;
  readonly #hosts: AskedHosts;

  private constructor(mesh: WaypointLab) {
    this.mesh = mesh;
    this.#hosts = new AskedHosts({
      view: mesh.thread.store,
      place: { clusterId: 'Kubernetes', network: '', ips: [mesh.ip(1)] },
      clock: systemClock,
      random: Math.random,
      logger: quietLogger,
      lookup: async host => {
        this.lookups.push(host);
        await this.gate;
        const found = this.names.get(host);
        if (found === undefined) throw new Error(`no such name ${host}`);
        return { ips: found.map(last => mesh.ip(last)), ttlMs: undefined };
      },
      onDelta: delta => mesh.apply(delta),
      onFailed: failed => mesh.thread.onHostFailed(failed),
    });
    mesh.onEvent = event => {
      if (event.kind === 'host_wanted') this.#hosts.wanted(event);
    };
  }

  static async create(t: { teardown(end: () => unknown): void }): Promise<HostsLab> {
    const lab = new HostsLab(await WaypointLab.create({ detectionTimeoutMs: 5_000 }));
    t.teardown(() => {
      lab.#hosts.close();
      return lab.mesh.close();
    });
    return lab;
  }

  /** Servers at these addresses, all on one port. */
  async serve(servers: ReadonlyMap<number, AppServer>): Promise<void> {
    for (const [last, server] of servers)
      this.port = await this.mesh.app(server, this.mesh.ip(last), this.port);
  }

  /** A service behind the waypoint. @returns a client's port to its address, or to `dialled` */
  async deploy(wildcard: Partial<Service>, routes: Partial<ServiceRoutes>, dialled = VIP): Promise<number> {
    const made = service('vendor', { vip: VIP, waypoint: WAYPOINT, ...wildcard });
    const change = { ...EMPTY_DELTA, services: [GATEWAY, made], routes: [noRoutes(made, routes)] };
    this.#hosts.beforeChange(change);
    this.mesh.apply(change);
    return this.mesh.client(dialled, 80);
  }
}

/** Answers with its name, what it was asked for, and the length of what it was sent. */
export function naming(name: string): Server {
  return createServer((req, res) => {
    let bytes = 0;
    req.on('data', (data: Buffer) => (bytes += data.length));
    req.on('end', () => res.end(`${name} ${req.headers.host} ${bytes}`));
  });
}
