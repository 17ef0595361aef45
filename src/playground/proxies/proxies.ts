import { mkdirSync } from 'node:fs';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { CapturedPod } from '../cluster/pod-capture.ts';
import type { MeshNetwork, NodeNetwork, PodNetwork } from '../network/mesh-network.ts';
import type { PodSpec } from '../objects/pod-spec.ts';
import { GATEWAY_NAME_LABEL } from '../objects/waypoint-objects.ts';
import type { TcpSegment } from '../packets/tcp-payload.ts';
import { waitUntil } from '../process/mesh-process.ts';
import { Program } from '../process/program.ts';
import type { StateLayout } from '../state-layout.ts';
import { fetchInNetns } from './fetch-admin.ts';
import { type JoinTokenClaims, writeJoinToken } from './join-token.ts';
import { type ProxyEntry, writeProxiesFile } from './proxies-file.ts';
import {
  controllerEnvironment,
  dedicatedZtunnelEnvironment,
  nodeZtunnelEnvironment,
  type ProxyEnvironment,
  READINESS_PORT,
  SYSTEM_NAMESPACE,
  waypointEnvironment,
} from './proxy-environment.ts';

const READY_MS = 30_000;
const STOP_GRACE_MS = 4_000;
const CONTROLLER = 'controller';
/** A URL: what NODE_OPTIONS holds is split at blanks. */
const PRELOAD = new URL('../loopback/socks5-preload.ts', import.meta.url).href;

export interface ProxiesOptions {
  readonly layout: StateLayout;
  readonly repository: string;
  readonly network: MeshNetwork;
  readonly clock: Clock;
}

interface Proxy {
  readonly entry: ProxyEntry;
  readonly program: Program;
  readonly place: Place;
  /** The pod it is of, `<namespace>/<name>`; undefined for those of the machine's nodes. */
  readonly pod: string | undefined;
}

interface Place {
  readonly ip: string;
  readonly netnsFd: number | undefined;
}

/** The programs of the mesh itself: controller, ztunnels, waypoints. */
export class Proxies {
  readonly #options: ProxiesOptions;
  readonly #proxies = new Map<string, Proxy>();
  /** Those that are being ended, by name. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(options: ProxiesOptions) {
    this.#options = options;
  }

  /** Controller first: the others need its roots and its tokens. Rejects with the last words of what did not become ready. */
  async startController(): Promise<void> {
    const { layout, network } = this.#options;
    const { ip, netnsFd } = network.controlPlane;
    const env = controllerEnvironment({ layout, name: CONTROLLER, controllerIp: ip, ip });
    const program = this.#program(CONTROLLER, ['node', 'src/controller/main.ts'], env, { ip, netnsFd });
    const entry = { kind: 'controller', name: CONTROLLER, node: '', namespace: SYSTEM_NAMESPACE } as const;
    this.#add(entry, program, { ip, netnsFd }, undefined).start();
    await this.waitReady(CONTROLLER, READY_MS);
  }

  async startNodeZtunnels(): Promise<void> {
    const programs = this.#options.network.nodes.map(node => this.#addNodeZtunnel(node));
    for (const program of programs) program.start();
    for (const { name } of programs) await this.waitReady(name, READY_MS);
  }

  /** A ztunnel for one pod, which may be running already. Resolves when it is ready. */
  async startDedicatedZtunnel(pod: CapturedPod): Promise<void> {
    const name = dedicatedZtunnelName(pod.spec.namespace, pod.spec.name);
    // One of a pod that had the same name would take the new one's admin socket with it.
    await this.#ending.get(name);
    if (!this.#proxies.has(name)) this.#addDedicatedZtunnel(name, pod);
    this.program(name).start();
    await this.waitReady(name, READY_MS);
  }

  async stopDedicatedZtunnel({ spec }: CapturedPod): Promise<void> {
    const name = dedicatedZtunnelName(spec.namespace, spec.name);
    if (this.#proxies.has(name)) await this.#end([name]);
  }

  #addDedicatedZtunnel(name: string, pod: CapturedPod): void {
    const { name: podName, namespace, serviceAccount } = pod.spec;
    const ip = pod.network.ips[0];
    const options = {
      ...this.#proxyOptions(name, ip),
      node: pod.network.node,
      podName,
      namespace,
      serviceAccount,
    };
    const claims = { namespace, serviceAccount, node: undefined };
    const place = { ip, netnsFd: pod.network.netnsFd };
    const env = dedicatedZtunnelEnvironment(options);
    const program = this.#proxyProgram(name, ['node', 'src/ztunnel/main.ts'], env, place, claims);
    const entry = { kind: 'ztunnel', name, pod: podName, node: pod.network.node, namespace } as const;
    this.#add(entry, program, place, `${namespace}/${podName}`);
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

  /** The ztunnel of a pod: its own, or its node's. Throws when the pod is not in the mesh. */
  ztunnelOf(pod: PodSpec, { node, netnsFd }: PodNetwork): string {
    return this.known(
      netnsFd === undefined ? dedicatedZtunnelName(pod.namespace, pod.name) : nodeZtunnelName(node),
    );
  }

  /** Asks the readiness server inside the proxy's own namespace. */
  async isReady(name: string): Promise<boolean> {
    const { program, place } = this.#proxy(name);
    if (program.pid === undefined) return false;
    try {
      await fetchInNetns(place.netnsFd, place.ip, READINESS_PORT, '/healthz/ready');
      return true;
    } catch {
      return false;
    }
  }

  async notReady(): Promise<string[]> {
    const states = await Promise.all(this.names().map(name => this.isReady(name)));
    return this.names().filter((_, i) => states[i] === false);
  }

  waitReady(name: string, deadlineMs: number): Promise<void> {
    const culprit = (): string => `${name} did not become ready: ${this.describe(name)}`;
    return waitUntil(this.#options.clock, deadlineMs, () => this.isReady(name), culprit);
  }

  describe(name: string): string {
    return this.#proxy(name).program.describe();
  }

  /** Makes the program of a pod: a waypoint's is configured and listed as a proxy. It is started by the caller. */
  podProgram(pod: PodSpec, network: PodNetwork): Program {
    const gateway = pod.labels[GATEWAY_NAME_LABEL];
    const place = { ip: network.ips[0], netnsFd: network.netnsFd };
    if (gateway !== undefined) return this.#addWaypoint(pod, network.node, place, gateway);
    const key = `${pod.namespace}/${pod.name}`;
    const hostsPath = network.netnsFd === undefined ? undefined : this.#options.layout.hostsOf(key);
    const env = { ...pod.env, ...this.podEnvironment(pod, network) };
    return this.#program(key.replace('/', '-'), pod.command, env, place, hostsPath);
  }

  /** What a program in a pod is told of its pod. */
  podEnvironment(pod: PodSpec, network: PodNetwork): Record<string, string> {
    const env = { POD_NAME: pod.name, POD_NAMESPACE: pod.namespace, POD_IP: network.ips[0] };
    if (network.netnsFd !== undefined) return env;
    const { layout } = this.#options;
    return {
      ...env,
      AMBIENT_HOSTS: layout.hostsOf(`${pod.namespace}/${pod.name}`),
      AMBIENT_LOOPBACK: layout.loopbackFile,
      NODE_OPTIONS: `--import=${PRELOAD}`,
    };
  }

  /** The pod `<namespace>/<name>` has ended; so have its waypoint and its own ztunnel. */
  async podGone(pod: string): Promise<void> {
    await this.#end(this.names().filter(name => this.#proxy(name).pod === pod));
  }

  /** They are no proxies of the mesh from now on. Resolves when they are gone. */
  async #end(names: readonly string[]): Promise<void> {
    const ending = names.map(name => {
      const ended = this.program(name)
        .kill('SIGTERM', STOP_GRACE_MS)
        .finally(() => this.#ending.delete(name));
      this.#proxies.delete(name);
      this.#ending.set(name, ended);
      return ended;
    });
    this.#writeFile();
    await Promise.all(ending);
  }

  isControlPlane({ source, destination }: TcpSegment): boolean {
    const { ip } = this.#options.network.controlPlane;
    return source === ip || destination === ip;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    const running = [...this.#proxies.values()].map(({ program }) => program.kill('SIGTERM', STOP_GRACE_MS));
    await Promise.all([...running, ...this.#ending.values()]);
  }

  #addNodeZtunnel({ name: node, ip, netnsFd }: NodeNetwork): Program {
    const name = nodeZtunnelName(node);
    mkdirSync(this.#options.layout.podsOf(node), { recursive: true });
    const env = nodeZtunnelEnvironment(this.#proxyOptions(name, ip), node);
    const claims = { namespace: SYSTEM_NAMESPACE, serviceAccount: 'ztunnel', node };
    const program = this.#proxyProgram(name, ['node', 'src/ztunnel/main.ts'], env, { ip, netnsFd }, claims);
    return this.#add(
      { kind: 'ztunnel', name, node, namespace: SYSTEM_NAMESPACE },
      program,
      { ip, netnsFd },
      undefined,
    );
  }

  #addWaypoint(pod: PodSpec, node: string, place: Place, gateway: string): Program {
    const { namespace, serviceAccount, name: podName } = pod;
    const name = gateway === 'waypoint' ? `waypoint-${namespace}` : `waypoint-${namespace}-${gateway}`;
    const options = { ...this.#proxyOptions(name, place.ip), node, podName, namespace, serviceAccount };
    const env = { ...waypointEnvironment(options, gateway), ...pod.env };
    const claims = { namespace, serviceAccount, node: undefined };
    const program = this.#proxyProgram(name, pod.command, env, place, claims);
    const entry = { kind: 'waypoint', name, pod: podName, node, namespace } as const;
    return this.#add(entry, program, place, `${namespace}/${podName}`);
  }

  #proxyOptions(name: string, ip: string) {
    const { layout, network } = this.#options;
    return { layout, name, ip, controllerIp: network.controlPlane.ip };
  }

  /** A proxy that joins with a token of the controller's. */
  #proxyProgram(
    name: string,
    argv: readonly string[],
    env: ProxyEnvironment,
    place: Place,
    claims: JoinTokenClaims,
  ): Program {
    const { layout } = this.#options;
    mkdirSync(layout.dataOf(name), { recursive: true, mode: 0o700 });
    return this.#program(name, argv, env, place, undefined, () =>
      writeJoinToken(layout.adminSocketOf(CONTROLLER), layout.tokenOf(name), claims),
    );
  }

  #program(
    name: string,
    argv: readonly string[],
    env: ProxyEnvironment,
    { netnsFd }: Place,
    hostsPath?: string,
    prepare?: () => Promise<void>,
  ): Program {
    const { layout, repository, clock } = this.#options;
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

  #add(
    entry: Omit<ProxyEntry, 'adminSocket'>,
    program: Program,
    place: Place,
    pod: string | undefined,
  ): Program {
    const adminSocket = this.#options.layout.adminSocketOf(entry.name);
    this.#proxies.set(entry.name, { entry: { ...entry, adminSocket }, program, place, pod });
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

function nodeZtunnelName(node: string): string {
  return `ztunnel-${node}`;
}

function dedicatedZtunnelName(namespace: string, pod: string): string {
  return `ztunnel-${namespace}-${pod}`;
}
