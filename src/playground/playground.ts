import { readFileSync } from 'node:fs';
import { type Clock, systemClock } from '#shared/lifecycle/clock.ts';
import { Cluster } from './cluster/cluster.ts';
import { NodeCapture } from './cluster/node-capture.ts';
import type { PodCapture } from './cluster/pod-capture.ts';
import type { RunningPod } from './cluster/running-pod.ts';
import {
  type Instance,
  isRunning,
  newInstance,
  type PlaygroundMode,
  readInstance,
  removeState,
  writeInstance,
} from './instance.ts';
import { checkMachine } from './machine.ts';
import { ClusterNetwork, removeNamespaces } from './network/cluster-network.ts';
import type { MeshNetwork } from './network/mesh-network.ts';
import { parseManifest } from './objects/kube-object.ts';
import { ObjectStore } from './objects/object-store.ts';
import { captureLink } from './packets/link-capture.ts';
import { waitUntil } from './process/mesh-process.ts';
import { execProgram, type PodExecOptions, spawnProgram } from './process/pod-exec.ts';
import { fetchAdmin } from './proxies/fetch-admin.ts';
import { Proxies } from './proxies/proxies.ts';
import type {
  ExecResult,
  MeshUnderTest,
  Need,
  PacketCapture,
  PodProcess,
} from './scenario/mesh-under-test.ts';
import { DedicatedCapture } from './loopback/dedicated-capture.ts';
import { LoopbackNetwork } from './loopback/loopback-network.ts';
import { makeDirectories, type StateLayout, stateLayout } from './state-layout.ts';

const LOOPBACK_NOTE =
  'using addresses of 127.0.0.0/8 and SOCKS5: programs of the mesh take part by a preload module, and what others send to them in plaintext is not refused';
const READY_MS = 60_000;
const KILL_GRACE_MS = 5_000;
const CTL_TIMEOUT_MS = 60_000;

export interface PlaygroundOptions {
  readonly stateDir: string;
  /** Root of this repository: programs of pods are started from there. */
  readonly repository: string;
  readonly nodes: readonly string[];
  /** One line for the operator. */
  readonly report: (line: string) => void;
  readonly clock?: Clock;
  /** Undefined: the best that the machine allows. */
  readonly mode?: PlaygroundMode;
}

/**
 * The mesh on one machine: nodes and pods are network namespaces, the programs are the same that run in a cluster. One
 * playground a state directory. Whatever happens to this process, no program of it lives on; what else it left is
 * removed by the next `up` or by `cleanUp`.
 */
export class Playground implements MeshUnderTest {
  readonly #options: PlaygroundOptions;
  readonly #clock: Clock;
  readonly #layout: StateLayout;
  readonly #instance: Instance;
  readonly #network: MeshNetwork;
  readonly #store: ObjectStore;
  readonly #proxies: Proxies;
  readonly #cluster: Cluster;
  #down: Promise<void> | undefined;

  private constructor(options: PlaygroundOptions, layout: StateLayout, instance: Instance) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#layout = layout;
    this.#instance = instance;
    const { network, capture } =
      instance.mode === 'loopback' ? this.#byLoopback() : this.#byNamespaces(layout);
    this.#network = network;
    this.#store = new ObjectStore(layout.objects, layout.staging);
    this.#proxies = new Proxies({ layout, repository: options.repository, network, clock: this.#clock });
    this.#cluster = new Cluster({
      layout,
      store: this.#store,
      network,
      capture,
      clock: this.#clock,
      podProgram: (pod, place) => this.#proxies.podProgram(pod, place),
      podGone: name => void this.#proxies.podGone(name),
      report: options.report,
    });
  }

  #byNamespaces(layout: StateLayout): { network: MeshNetwork; capture: PodCapture } {
    return { network: new ClusterNetwork(this.#instance.prefix), capture: new NodeCapture(layout) };
  }

  #byLoopback(): { network: MeshNetwork; capture: PodCapture } {
    const network = new LoopbackNetwork(this.#layout.loopbackFile);
    const capture = new DedicatedCapture({
      network,
      clock: this.#clock,
      startZtunnel: pod => this.#proxies.startDedicatedZtunnel(pod),
      stopZtunnel: pod => this.#proxies.stopDedicatedZtunnel(pod),
    });
    return { network, capture };
  }

  /**
   * Brings up an empty mesh: controller and one ztunnel a node, ready. Rejects, with nothing left behind, when the machine
   * does not allow it, another playground uses the state directory, or a program does not become ready.
   */
  static async up(options: PlaygroundOptions): Promise<Playground> {
    const layout = stateLayout(options.stateDir);
    const running = readInstance(layout);
    if (running !== undefined && isRunning(running)) {
      throw new Error(
        `a playground is running already (process ${running.pid}, ${layout.root}); end it with "ambientctl playground down"`,
      );
    }
    const { mode, reason } =
      options.mode === undefined ? checkMachine(options.report) : { mode: options.mode, reason: '' };
    if (reason !== '') options.report(reason);
    if (mode === 'loopback') options.report(LOOPBACK_NOTE);
    cleanUp(options.stateDir);
    makeDirectories(layout);
    const instance = newInstance(mode);
    writeInstance(layout, instance);
    const playground = new Playground(options, layout, instance);
    try {
      await playground.#start();
      return playground;
    } catch (cause) {
      await playground.down();
      throw cause;
    }
  }

  async #start(): Promise<void> {
    this.#network.up(this.#options.nodes);
    await this.#proxies.startController();
    if (this.mode !== 'loopback') await this.#proxies.startNodeZtunnels();
    this.#cluster.start();
  }

  get mode(): Instance['mode'] {
    return this.#instance.mode;
  }

  get stateDir(): string {
    return this.#layout.root;
  }

  get proxies(): readonly string[] {
    return this.#proxies.names();
  }

  proxiesNotReady(): Promise<readonly string[]> {
    return this.#proxies.notReady();
  }

  /** Adds or replaces the objects of YAML text. */
  applyText(text: string, origin: string): void {
    for (const object of parseManifest(text, origin)) this.#store.apply(object);
  }

  async apply(file: string): Promise<void> {
    this.applyText(this.#readManifest(file), file);
  }

  async remove(file: string): Promise<void> {
    for (const object of parseManifest(this.#readManifest(file), file)) this.#store.remove(object);
  }

  /** Resolves when every pod is ready and every proxy as well; rejects with the culprit and its last words. */
  async settled(deadlineMs: number = READY_MS): Promise<void> {
    let waiting: readonly string[] = [];
    const isSettled = async (): Promise<boolean> => {
      const proxies = await this.#proxies.notReady();
      waiting = [...this.#cluster.unsettled(), ...proxies.map(name => this.#proxies.describe(name))];
      return this.#store.list('Pod').length > 0 && waiting.length === 0;
    };
    const culprit = (): string => waiting.join('\n') || 'no pod was started';
    await waitUntil(this.#clock, deadlineMs, isSettled, culprit);
  }

  pods(): ReadonlyMap<string, RunningPod> {
    return this.#cluster.pods();
  }

  /** In loopback mode programs are captured because they take part: nothing is in the way of one that does not. */
  lacks(need: Need): string | undefined {
    if (this.mode !== 'loopback') return undefined;
    switch (need) {
      case 'capture':
        return 'SOCKS5 carries what the programs of the mesh send; what others send to them is not captured here';
      case 'packets':
        return 'there is no link between nodes here whose packets could be looked at';
    }
  }

  ztunnelOf(pod: string): string {
    const { spec, network } = this.#cluster.pod(pod);
    return this.#proxies.ztunnelOf(spec, network);
  }

  podIp(pod: string): string {
    return this.#cluster.pod(pod).network.ips[0];
  }

  exec(pod: string, argv: readonly string[], timeoutMs: number): Promise<ExecResult> {
    return execProgram(this.#inPod(pod, argv), timeoutMs);
  }

  spawn(pod: string, argv: readonly string[]): PodProcess {
    return spawnProgram(this.#inPod(pod, argv));
  }

  /** Throws while it does not run. */
  pidOf(proxy: string): number {
    const { pid } = this.#proxies.program(proxy);
    if (pid === undefined) throw new Error(`${proxy} does not run: ${this.#proxies.describe(proxy)}`);
    return pid;
  }

  log(proxy: string): string {
    return readFileSync(this.#layout.logOf(this.#proxies.known(proxy)), 'utf8');
  }

  fetchAdmin(proxy: string, path: string, method: 'GET' | 'POST' = 'GET'): Promise<string> {
    return fetchAdmin(this.#layout.adminSocketOf(this.#proxies.known(proxy)), path, method);
  }

  async kill(proxy: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#proxies.program(proxy).kill(signal, KILL_GRACE_MS);
  }

  async start(proxy: string): Promise<void> {
    this.#proxies.program(proxy).start();
    await this.#proxies.waitReady(proxy, READY_MS);
  }

  /** Throws in loopback mode. */
  capture(): PacketCapture {
    if (!(this.#network instanceof ClusterNetwork)) throw new Error(this.lacks('packets'));
    const { netns, link } = this.#network.switchPort(this.#options.nodes[0] ?? '');
    return captureLink(this.#clock, netns.fd, link, segment => !this.#proxies.isControlPlane(segment));
  }

  ambientctl(argv: readonly string[]): Promise<ExecResult> {
    const options = {
      argv: ['node', 'src/cli/main.ts', ...argv],
      env: { AMBIENT_STATE_DIR: this.#layout.root },
      cwd: this.#options.repository,
      netnsFd: undefined,
      hostsPath: undefined,
      clock: this.#clock,
    };
    return execProgram(options, CTL_TIMEOUT_MS);
  }

  /** Ends every program and removes everything. Idempotent; never rejects for what is gone already. */
  down(): Promise<void> {
    this.#down ??= this.#takeDown();
    return this.#down;
  }

  async #takeDown(): Promise<void> {
    await Promise.allSettled([this.#cluster.close(), this.#proxies.close()]);
    this.#network.close();
    removeState(this.#layout);
  }

  #inPod(name: string, argv: readonly string[]): PodExecOptions {
    const { network, spec } = this.#cluster.pod(name);
    return {
      argv,
      env: this.#proxies.podEnvironment(spec, network),
      cwd: this.#options.repository,
      netnsFd: network.netnsFd,
      hostsPath: network.netnsFd === undefined ? undefined : this.#layout.hostsOf(name),
      clock: this.#clock,
    };
  }

  #readManifest(file: string): string {
    return readFileSync(new URL(file, `file://${this.#options.repository}/`), 'utf8');
  }
}

/** Removes what a playground that did not end in order has left. Does nothing when it still runs. */
export function cleanUp(stateDir: string): void {
  const layout = stateLayout(stateDir);
  const instance = readInstance(layout);
  if (instance !== undefined && isRunning(instance)) return;
  if (instance !== undefined && instance.mode === 'root') removeNamespaces(instance.prefix);
  removeState(layout);
}
