import { lineWriter } from '#shared/testing/line-writer.ts';
import { randomInt } from 'node:crypto';
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createTestEngine } from '#shared/testing/engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { delta } from '#shared/testing/topology.ts';
import { createTestCa, type TestCa } from '#shared/testing/test-ca.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import { workloadIdentity, type Workload } from '#shared/workload/workload.ts';
import { PodCounts, podCountMemory } from '../connections/pod-counts.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';
import type { OriginalDestination } from '../redirect/original-dst.ts';
import { TrafficThread } from '../workers/traffic-thread.ts';
import { testSettings } from './settings.ts';

/** Where a captured connection was going, by the port of the listener it was "redirected" to. */
type Redirects = Map<number, OriginalDestination>;

/** Each lab has one thread a node. */
const THREADS = 1;

interface LabEntry {
  readonly node: LabNode;
  readonly redirects: Redirects;
  readonly counts: Map<string, SharedArrayBuffer>;
}

export interface LabNode {
  readonly thread: TrafficThread;
  readonly lines: string[];
  /** Lines of the access log, once there are so many; the tests wait for events, never for time. */
  access(count: number): Promise<string[]>;
  /** What an enrolled workload has open, by its uid; of one that was enrolled again as of now. */
  counts(uid: string): PodCounts;
}

/**
 * Several nodes in one process: real sockets and TLS on loopback addresses of this process alone, a test CA, and
 * redirection by the port of the listener instead of by the kernel.
 */
export class MeshLab {
  readonly ca: TestCa;
  readonly #subnet = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`;
  readonly #nodes: LabEntry[] = [];
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #mesh = new MeshStore();

  private constructor(ca: TestCa) {
    this.ca = ca;
  }

  static async create(): Promise<MeshLab> {
    return new MeshLab(await createTestCa());
  }

  /** An address for a pod. */
  ip(host: number): string {
    return `${this.#subnet}.${host}`;
  }

  node(settings: Partial<TrafficSettings> = {}, { knowsMesh = true }: { knowsMesh?: boolean } = {}): LabNode {
    const lines: string[] = [];
    const waits: { count: number; resolve: () => void }[] = [];
    const accessLines = (): string[] => lines.filter(line => line.includes('\taccess\t'));
    const writer = lineWriter(line => {
      lines.push(line);
      for (const wait of waits) if (accessLines().length >= wait.count) wait.resolve();
    });
    const clock = systemClock;
    const logger = createLogger({
      scope: 'ztunnel',
      levels: new LogLevels('info'),
      format: 'text',
      writer,
      now: () => clock.now(),
    });
    const redirects: Redirects = new Map();
    const counts = new Map<string, SharedArrayBuffer>();
    const thread = new TrafficThread({
      engine: createTestEngine({ clock }),
      clock,
      random: Math.random,
      settings: { ...testSettings, ...settings },
      index: 0,
      logger,
      logFormat: 'text',
      logWriter: writer,
      originalDestination: channel => redirects.get(channel.localAddress.port) ?? { kind: 'direct' },
    });
    const node: LabNode = {
      thread,
      lines,
      async access(count) {
        if (accessLines().length < count) await new Promise<void>(resolve => waits.push({ count, resolve }));
        return accessLines();
      },
      counts(uid) {
        const found = counts.get(uid);
        if (found === undefined) throw new Error(`${uid} is not enrolled`);
        return new PodCounts(found, THREADS);
      },
    };
    if (knowsMesh) {
      thread.apply(this.#mesh.toDelta());
      thread.meshKnown();
    }
    this.#nodes.push({ node, redirects, counts });
    return node;
  }

  /** For one node alone. */
  delta(change: Partial<MeshDelta>): MeshDelta {
    return delta(change);
  }

  /** Tells every node. */
  apply(change: Partial<MeshDelta>): void {
    this.#mesh.apply(delta(change));
    for (const { node } of this.#nodes) node.thread.apply(delta(change));
  }

  /** Enrols a workload at a node: HBONE on its address, with a certificate of its own. */
  async enrol(node: LabNode, workload: Workload, uid = `uid-${workload.name}`): Promise<void> {
    node.thread.setCertificate(workloadIdentity(workload), await this.ca.issue(workloadIdentity(workload)));
    const { name, namespace, serviceAccount, addresses: ips } = workload;
    await node.thread.enrol({
      info: { uid, name, namespace, serviceAccount, ips },
      netnsFd: undefined,
      listeners: {
        outbound: [],
        inboundPlaintext: [],
        inboundHbone: ips.map(ip => ({ ip, port: 15008 })),
        socks5: ips.map(ip => ({ ip, port: 15080 })),
      },
      counts: this.#countsFor(node, uid),
    });
  }

  /**
   * A port on which `accept` sees connections as if captured on their way to `destination`.
   */
  async capture(
    node: LabNode,
    workload: Workload,
    kind: 'outbound' | 'inboundPlaintext',
    destination: { ip: string; port: number },
  ): Promise<number> {
    const entry = this.#nodes.find(n => n.node === node);
    const [ip = ''] = workload.addresses;
    const port = await freePort(ip);
    entry?.redirects.set(port, { kind: 'redirected', destination });
    const { name, namespace, serviceAccount, addresses: ips } = workload;
    const none = { outbound: [], inboundPlaintext: [], inboundHbone: [], socks5: [] };
    const uid = `capture-${port}`;
    await node.thread.enrol({
      info: { uid, name, namespace, serviceAccount, ips },
      netnsFd: undefined,
      listeners: { ...none, [kind]: [{ ip, port }] },
      counts: this.#countsFor(node, uid),
    });
    return port;
  }

  /** An application on an address of a pod. */
  async app(ip: string, onConnection: (socket: Socket) => void, port = 0): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, socket => {
      this.#track(socket);
      onConnection(socket);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, ip, resolve);
    });
    return portOf(server);
  }

  client(ip: string, port: number): LabClient {
    const socket = createConnection({ host: ip, port, allowHalfOpen: true, localAddress: ip });
    this.#track(socket);
    return new LabClient(socket);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#nodes.map(({ node }) => node.thread.close()));
    await Promise.all(
      this.#servers.map(server => new Promise<void>(resolve => server.close(() => resolve()))),
    );
  }

  #countsFor(node: LabNode, uid: string): SharedArrayBuffer {
    const memory = podCountMemory(THREADS);
    this.#nodes.find(n => n.node === node)?.counts.set(uid, memory);
    return memory;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

/** A client application's end: what it received, and how it ended. */
export class LabClient {
  readonly socket: Socket;
  text = '';
  ended = false;
  error: string | undefined;
  readonly closed: Promise<void>;
  #onChange: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', data => {
      this.text += data.toString('latin1');
      this.#changed();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#changed();
    });
    socket.on('error', error => {
      this.error = 'code' in error ? String(error.code) : error.message;
    });
    this.closed = new Promise(resolve => socket.on('close', () => resolve()));
  }

  async until(ready: () => boolean): Promise<void> {
    while (!ready()) {
      await Promise.race([new Promise<void>(resolve => this.#onChange.push(resolve)), this.closed]);
      if (this.socket.destroyed && !ready())
        throw new Error(`closed (${this.error ?? 'in order'}) after "${this.text}"`);
    }
  }

  #changed(): void {
    for (const wake of this.#onChange.splice(0)) wake();
  }
}

/** Echoes, and ends when the client has ended. */
export function echo(socket: Socket): void {
  socket.pipe(socket);
}

async function freePort(ip: string): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, ip, resolve));
  const port = portOf(server);
  await new Promise<void>(resolve => server.close(() => resolve()));
  return port;
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}
