import type { Clock } from '#shared/lifecycle/clock.ts';
import type { PodPlace } from '../cluster/cluster.ts';
import { CONTROL_PLANE } from '../network/address-plan.ts';
import type { ClusterNetwork } from '../network/cluster-network.ts';
import type { PodSpec } from '../objects/pod-spec.ts';
import { GATEWAY_NAME_LABEL } from '../objects/waypoint-objects.ts';
import type { TcpSegment } from '../packets/tcp-payload.ts';
import { waitUntil } from '../process/mesh-process.ts';
import { Program } from '../process/program.ts';
import type { StateLayout } from '../state-layout.ts';
import { fetchInNetns } from './fetch-admin.ts';
import { writeJoinToken } from './join-token.ts';
import { type ProxyEntry, writeProxiesFile } from './proxies-file.ts';
import {
  controllerEnvironment,
  type ProxyEnvironment,
  READINESS_PORT,
  SYSTEM_NAMESPACE,
  waypointEnvironment,
  ztunnelEnvironment,
} from './proxy-environment.ts';

const READY_MS = 30_000;
const STOP_GRACE_MS = 4_000;
const CONTROLLER = 'controller';

export interface ProxiesOptions {
  readonly layout: StateLayout;
  readonly repository: string;
  readonly network: ClusterNetwork;
  readonly clock: Clock;
}

interface Proxy {
  readonly entry: ProxyEntry;
  readonly program: Program;
  readonly netnsFd: number;
}

/** The programs of the mesh itself: controller, ztunnels, waypoints. */
export class Proxies {
  readonly #options: ProxiesOptions;
  readonly #proxies = new Map<string, Proxy>();

  constructor(options: ProxiesOptions) {
    this.#options = options;
  }

  /** Controller first: the others need its roots and its tokens. Rejects with the last words of what did not become ready. */
  async start(): Promise<void> {
    this.#addController().start();
    await this.waitReady(CONTROLLER, READY_MS);
    const ztunnels = this.#options.network.nodes.map(node =>
      this.#addZtunnel(node.name, node.addresses.ipv4),
    );
    for (const program of ztunnels) program.start();
    for (const { name } of ztunnels) await this.waitReady(name, READY_MS);
  }

  names(): string[] {
    return [...this.#proxies.keys()];
  }

  /** @returns `name`; throws when there is no such proxy. */
  known(name: string): string {
    return this.#proxy(name).entry.name;
  }

  program(name: string): Program {
    return this.#proxy(name).program;
  }

  /** Asks the readiness server inside the proxy's own namespace. */
  async isReady(name: string): Promise<boolean> {
    const { program, netnsFd } = this.#proxy(name);
    if (program.pid === undefined) return false;
    try {
      await fetchInNetns(netnsFd, '127.0.0.1', READINESS_PORT, '/healthz/ready');
      return true;
    } catch {
      return false;
    }
  }

  async allReady(): Promise<boolean> {
    const states = await Promise.all(this.names().map(name => this.isReady(name)));
    return states.every(Boolean);
  }

  waitReady(name: string, deadlineMs: number): Promise<void> {
    const culprit = (): string => `${name} did not become ready: ${this.program(name).describe()}`;
    return waitUntil(this.#options.clock, deadlineMs, () => this.isReady(name), culprit);
  }

  /** Makes the program of a pod: a waypoint's is configured and listed as a proxy. It is started by the caller. */
  podProgram(pod: PodSpec, place: PodPlace): Program {
    const gateway = pod.labels[GATEWAY_NAME_LABEL];
    if (gateway !== undefined) return this.#addWaypoint(pod, place, gateway);
    const env = { ...pod.env, POD_NAME: pod.name, POD_NAMESPACE: pod.namespace, POD_IP: place.ips[0] ?? '' };
    return this.#program(`${pod.namespace}-${pod.name}`, pod.command, env, place.netnsFd, pod.namespace);
  }

  /** `<namespace>/<name>` */
  podGone(podName: string): void {
    for (const [name, { program }] of this.#proxies) {
      if (podOfWaypoint.get(program) === podName) this.#proxies.delete(name);
    }
    this.#writeFile();
  }

  isControlPlane({ source, destination }: TcpSegment): boolean {
    return source === CONTROL_PLANE.ipv4 || destination === CONTROL_PLANE.ipv4;
  }

  /** Ends all of them. Waypoints are ended with their pods. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#proxies.values()].map(({ program }) => program.kill('SIGTERM', STOP_GRACE_MS)),
    );
  }

  #addController(): Program {
    const { layout, network } = this.#options;
    const env = controllerEnvironment({ layout, name: CONTROLLER, controllerIp: CONTROL_PLANE.ipv4 });
    const argv = ['node', 'src/controller/main.ts'];
    const program = this.#program(CONTROLLER, argv, env, network.controlPlane.fd, undefined);
    return this.#add(
      { kind: 'controller', name: CONTROLLER, node: '', namespace: SYSTEM_NAMESPACE },
      program,
      network.controlPlane.fd,
    );
  }

  #addZtunnel(node: string, nodeIp: string): Program {
    const { layout, network } = this.#options;
    const name = `ztunnel-${node}`;
    const env = ztunnelEnvironment({ layout, name, controllerIp: CONTROL_PLANE.ipv4, node, nodeIp });
    const netnsFd = network.node(node).netns.fd;
    const token = { namespace: SYSTEM_NAMESPACE, serviceAccount: 'ztunnel', node };
    const prepare = (): Promise<void> => writeJoinToken(this.#options, CONTROLLER, name, token);
    const program = this.#program(name, ['node', 'src/ztunnel/main.ts'], env, netnsFd, undefined, prepare);
    return this.#add({ kind: 'ztunnel', name, node, namespace: SYSTEM_NAMESPACE }, program, netnsFd);
  }

  #addWaypoint(pod: PodSpec, place: PodPlace, gateway: string): Program {
    const { layout } = this.#options;
    const { namespace, serviceAccount } = pod;
    const name = gateway === 'waypoint' ? `waypoint-${namespace}` : `waypoint-${namespace}-${gateway}`;
    const env = waypointEnvironment({
      layout,
      name,
      controllerIp: CONTROL_PLANE.ipv4,
      node: place.node,
      podName: pod.name,
      namespace,
      serviceAccount,
      gateway,
      podIp: place.ips[0] ?? '',
    });
    const prepare = (): Promise<void> =>
      writeJoinToken(this.#options, CONTROLLER, name, { namespace, serviceAccount, node: undefined });
    const program = this.#program(
      name,
      pod.command,
      { ...env, ...pod.env },
      place.netnsFd,
      undefined,
      prepare,
    );
    podOfWaypoint.set(program, `${namespace}/${pod.name}`);
    return this.#add({ kind: 'waypoint', name, node: place.node, namespace }, program, place.netnsFd);
  }

  #program(
    name: string,
    argv: readonly string[],
    env: ProxyEnvironment,
    netnsFd: number,
    hostsNamespace: string | undefined,
    prepare?: () => Promise<void>,
  ): Program {
    const { layout, repository, clock } = this.#options;
    const hostsPath = hostsNamespace === undefined ? undefined : layout.hostsOf(hostsNamespace);
    const options = {
      name,
      argv,
      env,
      cwd: repository,
      netnsFd,
      hostsPath,
      logPath: layout.logOf(name),
      clock,
    };
    return new Program(options, prepare);
  }

  #add(entry: Omit<ProxyEntry, 'adminSocket'>, program: Program, netnsFd: number): Program {
    const adminSocket = this.#options.layout.adminSocketOf(entry.name);
    this.#proxies.set(entry.name, { entry: { ...entry, adminSocket }, program, netnsFd });
    this.#writeFile();
    return program;
  }

  #writeFile(): void {
    writeProxiesFile(
      this.#options.layout,
      [...this.#proxies.values()].map(({ entry }) => entry),
    );
  }

  #proxy(name: string): Proxy {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new Error(`no proxy ${name}; proxies: ${this.names().join(', ')}`);
    return proxy;
  }
}

/** Which pod a waypoint's program is of. */
const podOfWaypoint = new WeakMap<Program, string>();
