import { lineWriter } from '#shared/testing/line-writer.ts';
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { ChannelError } from '#shared/engine/channel.ts';
import type { EngineName } from '#shared/engine/choose-engine.ts';
import { copyBidirectional } from '#shared/engine/copy.ts';
import type { Engine, Listener, TcpChannel, TlsContext, TlsMaterial } from '#shared/engine/engine.ts';
import { createTestEngine } from '#shared/testing/engine.ts';
import type { ConnectRequestInit } from '#shared/hbone/connect-request.ts';
import type { InboundConnect } from '#shared/hbone/inbound-connect.ts';
import { type HboneServerSession, serveHbone } from '#shared/hbone/server.ts';
import { HbonePool } from '#shared/hbone/session-pool.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { delta } from '#shared/testing/topology.ts';
import { createTestCa, type TestCa } from '#shared/testing/test-ca.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { workloadIdentity, type Workload } from '#shared/workload/workload.ts';
import type { WaypointEvent } from '../workers/messages.ts';
import { TrafficThread } from '../workers/traffic-thread.ts';
import type { TrafficSettings } from '../workers/settings.ts';
import { testSettings } from './settings.ts';

/** An application of a test: TCP, or one of Node's HTTP servers, which are TCP servers as well. */
export type AppServer = Server & { closeAllConnections?(): void };

const CLIENT_ID = 'spiffe://cluster.local/ns/default/sa/client';
const clock = systemClock;
const STOP = new ChannelError('aborted', 'the test is over');

interface SubnetClaim {
  /** The first three numbers of its addresses. */
  readonly subnet: string;
  readonly server: Server;
}

const CLAIM_PORT = 15_099;
const MAX_CLAIMS = 20;

/** A subnet of loopback that no other lab on the machine has: pods of both would want the one port. */
async function claimSubnet(): Promise<SubnetClaim> {
  for (let i = 0; i < MAX_CLAIMS; i++) {
    const subnet = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`;
    const server = createServer();
    const isOurs = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false));
      server.listen({ host: `${subnet}.254`, port: CLAIM_PORT, exclusive: true }, () => resolve(true));
    });
    if (isOurs) return { subnet, server };
  }
  throw new Error(`no subnet of loopback is free, of ${MAX_CLAIMS} that were tried`);
}

/**
 * A waypoint between real HBONE peers in one process: TLS of a test CA on loopback addresses of this process alone. Clients
 * are ordinary sockets to a port that stands for a captured connection; endpoints are applications behind a minimal ztunnel.
 */
export class WaypointLab {
  readonly thread: TrafficThread;
  readonly lines: string[] = [];
  /** Hears what the thread tells its main thread. */
  onEvent: (event: WaypointEvent) => void = () => undefined;
  readonly #ca: TestCa;
  readonly #engine: Engine;
  readonly #subnet: string;
  /** Holds the subnet. */
  readonly #claim: Server;
  readonly #listeners: Listener[] = [];
  readonly #servers: AppServer[] = [];
  readonly #sessions = new Set<HboneServerSession>();
  readonly #waits: { readonly count: number; readonly resolve: () => void }[] = [];
  #clientPool: HbonePool | undefined;
  #clientId = CLIENT_ID;
  #waypointPort = 0;

  private constructor(
    ca: TestCa,
    claim: SubnetClaim,
    settings: Partial<TrafficSettings>,
    random: () => number,
    engine: EngineName | undefined,
  ) {
    this.#ca = ca;
    this.#subnet = claim.subnet;
    this.#claim = claim.server;
    this.#engine = createTestEngine({ clock }, engine);
    const logWriter = lineWriter(line => this.#onLine(line));
    const levels = new LogLevels('info');
    this.thread = new TrafficThread({
      engine: createTestEngine({ clock }, engine),
      clock,
      random,
      settings: { ...testSettings, listen: { ip: `${this.#subnet}.1`, port: 0 }, ...settings },
      logger: createLogger({
        scope: 'waypoint',
        levels,
        format: 'text',
        writer: logWriter,
        now: () => clock.now(),
      }),
      logFormat: 'text',
      logWriter,
      thread: 0,
      emit: event => this.onEvent(event),
    });
  }

  /** @param clientId identity of the clients @param engine where it is not the one that tests are run on */
  static async create(
    settings: Partial<TrafficSettings> = {},
    random = Math.random,
    clientId = CLIENT_ID,
    engine?: EngineName,
  ): Promise<WaypointLab> {
    const lab = new WaypointLab(await createTestCa(), await claimSubnet(), settings, random, engine);
    lab.#clientId = clientId;
    lab.thread.setCertificate(await lab.#ca.issue(testSettings.identity));
    const { hbone } = await lab.thread.listen();
    lab.#waypointPort = hbone?.port ?? 0;
    const context = lab.#engine.createTlsContext(await lab.#ca.issue(clientId));
    lab.#clientPool = lab.#makeClientPool(context);
    return lab;
  }

  /** An address for a pod. */
  ip(host: number): string {
    return `${this.#subnet}.${host}`;
  }

  apply(change: Partial<MeshDelta>): void {
    this.thread.apply(delta(change));
  }

  /** A port whose connections are sent through the waypoint to `host:port`, as a client's ztunnel does for one at `source`. */
  async client(host: string, port: number, source = { ip: this.ip(2), port: 40_000 }): Promise<number> {
    const listener = await this.#engine.listen(
      { ip: '127.0.0.1', port: 0 },
      channel => void this.#tunnel(channel, { host, port, forwarded: { source, host: '' } }),
    );
    this.#listeners.push(listener);
    return listener.address.port;
  }

  /** Lets the ztunnel of a workload accept tunnels for its applications. */
  async enrol(workload: Workload): Promise<void> {
    const context = this.#engine.createTlsContext(await this.#ca.issue(workloadIdentity(workload)));
    for (const ip of workload.addresses) {
      this.#listeners.push(
        await this.#engine.listen({ ip, port: 15008 }, channel => void this.#inbound(channel, context)),
      );
    }
  }

  /** Starts an application, on any port unless told. @returns its port */
  async app(server: AppServer, ip: string, port = 0): Promise<number> {
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, ip, resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening on an IP address');
    return address.port;
  }

  async renewCertificate(): Promise<void> {
    this.thread.setCertificate(await this.#ca.issue(testSettings.identity));
  }

  /** Material of the mesh's CA. */
  issue(spiffeId: string): Promise<TlsMaterial> {
    return this.#ca.issue(spiffeId);
  }

  /** Lines of the access log, once there are so many. */
  async access(count: number): Promise<string[]> {
    if (this.#accessLines().length < count)
      await new Promise<void>(resolve => this.#waits.push({ count, resolve }));
    return this.#accessLines();
  }

  async close(): Promise<void> {
    this.#clientPool?.close(STOP);
    this.thread.close(STOP);
    await this.thread.drain(0);
    for (const session of this.#sessions) session.close(STOP);
    await Promise.all(this.#listeners.map(listener => listener.close()));
    await new Promise(resolve => this.#claim.close(resolve));
    await Promise.all(
      this.#servers.map(server => {
        server.closeAllConnections?.();
        return new Promise<void>(resolve => server.close(() => resolve()));
      }),
    );
  }

  #onLine(line: string): void {
    this.lines.push(line);
    const count = this.#accessLines().length;
    for (const wait of this.#waits) if (count >= wait.count) wait.resolve();
  }

  #accessLines(): string[] {
    return this.lines.filter(line => line.includes('\taccess\t'));
  }

  #makeClientPool(context: TlsContext): HbonePool {
    const timeoutMs = 5_000;
    return new HbonePool({
      engine: this.#engine,
      clock,
      random: Math.random,
      dial: (remote, signal) => this.#engine.connect({ remote, timeoutMs }, signal),
      tlsContext: () => context,
    });
  }

  async #tunnel(channel: TcpChannel, request: ConnectRequestInit): Promise<void> {
    try {
      const tunnel = await this.#clientPool?.connect({
        sourceIdentity: this.#clientId,
        destinationIdentities: [testSettings.identity],
        remote: { ip: this.ip(1), port: this.#waypointPort },
        workloadUid: 'waypoint',
        request,
      });
      if (tunnel !== undefined) copyBidirectional(channel, tunnel, { clock, onClose: () => {} });
    } catch (error) {
      channel.abort(error instanceof ChannelError ? error : STOP);
    }
  }

  async #inbound(channel: TcpChannel, context: TlsContext): Promise<void> {
    try {
      const options = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
      const secure = await this.#engine.secureServer(channel, context, options);
      const session: HboneServerSession = serveHbone(secure, {
        clock,
        onConnect: connect => void this.#dial(connect),
        onClose: () => this.#sessions.delete(session),
      });
      this.#sessions.add(session);
    } catch {
      // A handshake that fails is the peer's to report.
    }
  }

  async #dial(connect: InboundConnect): Promise<void> {
    const { host: ip, port } = connect.request;
    try {
      const app = await this.#engine.connect({ remote: { ip, port }, timeoutMs: 5_000 }, connect.signal);
      copyBidirectional(connect.accept(), app, { clock, onClose: () => {} });
    } catch (error) {
      connect.refuse(503, String(error));
    }
  }
}
