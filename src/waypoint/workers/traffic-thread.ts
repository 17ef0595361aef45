import { authzConnection } from '#shared/authz/connection.ts';
import { ChannelError, type ByteChannel } from '#shared/engine/channel.ts';
import type { Engine, Listener, TlsMaterial } from '#shared/engine/engine.ts';
import type { InboundConnect, RefusalStatus } from '#shared/hbone/inbound-connect.ts';
import { HbonePool } from '#shared/hbone/session-pool.ts';
import { DEFAULT_LIMITS } from '#shared/http1/limits.ts';
import { serverOptions } from '#shared/http1/server-options.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import type { BytesWriter } from '#shared/observability/line-sink.ts';
import type { LogFormat, Logger } from '#shared/observability/logger.ts';
import { type FamilySnapshot, MetricSet } from '#shared/observability/metric-set.ts';
import { serviceAccountOf } from '#shared/spiffe/spiffe-id.ts';
import { canonicalIp, formatHostPort } from '#shared/workload/ip.ts';
import type { TlsCredential } from '#shared/route/tls-credential.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { serviceName } from '#shared/workload/workload.ts';
import type { Place } from '../balance/locality.ts';
import { zoneShare } from '../balance/zone-share.ts';
import type { FailedHost } from '../hosts/awaited-hosts.ts';
import { findDestination, isOurs } from '../listener/destination.ts';
import { WorkloadServices } from '../services/workload-services.ts';
import { DownstreamServer } from '../listener/downstream-server.ts';
import { HboneListener } from '../listener/hbone-listener.ts';
import { originalSource } from '../listener/original-source.ts';
import { SourcePeers } from '../listener/source-peers.ts';
import { Downstream, type DownstreamEnds, type RequestEnvironment } from '../request/environment.ts';
import type { TapCommand } from '../tap/tap-sessions.ts';
import { SecureUpstream } from '../upstream/secure-upstream.ts';
import type { KeysCommand, WaypointEvent } from './messages.ts';
import { OwnCertificate } from './own-certificate.ts';
import type { PlaintextListen, TrafficSettings } from './settings.ts';
import { CONNECTION_TICK_MS, makeEnvironment } from './thread-environment.ts';

/** A drain waits so long for the next request of connections that are idle. */
const IDLE_GRACE_MS = 3_000;
/** And so long for clients to close after it. */
const LINGER_MS = 500;

export interface TrafficThreadOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly settings: TrafficSettings;
  readonly logger: Logger;
  readonly logFormat: LogFormat;
  readonly logWriter: BytesWriter;
  /** Which of the threads this is, from 0. */
  readonly thread: number;
  /** To the main thread. */
  readonly emit: (event: WaypointEvent) => void;
}

/** Everything of one thread that carries requests. Driven by messages in a worker, or called directly in tests. */
export class TrafficThread {
  readonly store = new MeshStore();
  readonly #options: TrafficThreadOptions;
  readonly #metrics = new MetricSet();
  readonly #certificate: OwnCertificate;
  readonly #env: RequestEnvironment;
  readonly #hbonePool: HbonePool;
  readonly #secure: SecureUpstream;
  readonly #server: DownstreamServer;
  readonly #hbone: HboneListener;
  readonly #peers: SourcePeers;
  readonly #plaintext: Listener[] = [];
  readonly #workloadServices: WorkloadServices;

  constructor(options: TrafficThreadOptions) {
    this.#options = options;
    const { clock, engine, logger, settings } = options;
    this.#workloadServices = new WorkloadServices(address => isOurs(this.store, address, settings));
    this.#certificate = new OwnCertificate(engine, clock);
    this.#hbonePool = this.#makeHbonePool();
    this.#secure = new SecureUpstream(engine, clock, this.#certificate);
    this.#peers = new SourcePeers(this.store, settings.network);
    this.#env = makeEnvironment(options, {
      view: this.store,
      metrics: this.#metrics,
      hbone: this.#hbonePool,
      secure: this.#secure,
      place: () => this.#place(),
    });
    this.#server = new DownstreamServer({
      env: this.#env,
      logger,
      detectionTimeoutMs: settings.detectionTimeoutMs,
      http1: serverOptions(new CoarseTimers(clock, CONNECTION_TICK_MS), {
        idleTimeoutMs: settings.downstreamIdleTimeoutMs,
        headTimeoutMs: settings.requestHeadTimeoutMs,
        streamIdleTimeoutMs: settings.streamIdleTimeoutMs,
        limits: { ...DEFAULT_LIMITS, maxBodyBytes: settings.maxRequestBytes },
      }),
    });
    this.#hbone = new HboneListener({
      engine,
      clock,
      logger,
      http2: {},
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      tlsContext: () => this.#certificate.current(),
      onConnect: connect => this.#onConnect(connect),
    });
  }

  /** Opens the listeners of the settings. Rejects when an address is taken. @returns the addresses bound */
  async listen(): Promise<{
    hbone: Listener['address'] | undefined;
    plaintext: Listener['address'] | undefined;
  }> {
    const { listen, plaintext, tunnelCongestion: congestion } = this.#options.settings;
    this.#env.overload.start();
    const hbone =
      listen === undefined ? undefined : await this.#hbone.listen({ ...listen, reusePort: true, congestion });
    const plain = plaintext === undefined ? undefined : await this.#listenPlaintext(plaintext);
    return { hbone, plaintext: plain };
  }

  apply(delta: MeshDelta): void {
    const change = this.store.apply(this.#workloadServices.addTo(delta));
    this.#env.services.onChange(change);
    this.#env.hosts.onChange(
      change.changedServices,
      (service, host) => this.#env.services.get(service)?.knowsHost(host) === true,
    );
    for (const uid of change.evictedWorkloads) {
      this.#env.pools.evict(uid);
      this.#hbonePool.evictWorkload(uid);
    }
    const { changedServices } = change;
    if (changedServices.size === 0) return;
    const cut = this.#server.tcp.recheck() + this.#env.tunnels.recheck(changedServices);
    if (cut > 0) this.#options.logger.info('policy changed: connections cut', { connections: cut });
  }

  /** A certificate that does not parse leaves the last good one in place. */
  setCertificate(material: TlsMaterial): void {
    this.#certificate.set(material);
    this.#hbonePool.evictIdentity(this.#options.settings.identity);
    this.#env.pools.renew();
  }

  /** A Secret that TLS is originated with; undefined: it is gone. Connections made with the one before are used up. */
  setCredential(name: string, credential: TlsCredential | undefined): void {
    this.#secure.setCredential(name, credential);
    this.#env.pools.renew();
  }

  /** Keys of a token issuer, as the main thread has fetched them. */
  setKeys({ jwks, source }: KeysCommand): void {
    this.#env.filters.keySets.set(source, jwks);
  }

  /** No endpoint was found for a host that requests wait for. */
  onHostFailed(failed: FailedHost): void {
    this.#env.hosts.onFailed(failed);
  }

  /** What an operator asked to watch. */
  tap(command: TapCommand): void {
    const { taps } = this.#env;
    if (command.kind === 'tap_start') taps.start(command.tap, command.request);
    else taps.stop(command.tap);
  }

  /** The main thread has taken a batch of spans. */
  onSpansTaken(): void {
    this.#env.tracer?.onTaken();
  }

  /**
   * Clients hear of the end with their next response. Those that ask nothing meanwhile lose their connections only after a
   * while: a request may be on its way on any of them.
   * @returns how many requests and connections had to be cut at the deadline.
   */
  async drain(deadlineMs: number): Promise<number> {
    const { clock } = this.#options;
    const server = this.#server;
    const deadline = new Promise<void>(resolve => clock.setTimer(deadlineMs, resolve));
    await this.#hbone.drain();
    await Promise.all(this.#plaintext.splice(0).map(listener => listener.close()));
    server.drain();
    await server.whenClosed(Math.min(IDLE_GRACE_MS, deadlineMs / 2));
    server.endIdle();
    await Promise.race([this.#env.inFlight.whenEmpty(), deadline]);
    await Promise.race([server.whenClosed(LINGER_MS), deadline]);
    const left = this.#env.inFlight.count;
    this.close(new ChannelError('drain', `cut at the end of the drain of ${deadlineMs} ms`));
    return left;
  }

  /** Cuts everything. */
  close(reason: ChannelError): void {
    for (const listener of this.#plaintext.splice(0)) void listener.close();
    this.#hbone.close(reason);
    this.#server.tcp.closeAll(reason);
    this.#server.closeAll();
    this.#env.pools.close();
    this.#hbonePool.close(reason);
    this.#env.taps.close();
    this.#env.overload.stop();
    this.#env.tracer?.close();
    this.#env.services.close();
    this.#env.ended.flush();
  }

  metrics(): FamilySnapshot[] {
    this.#env.ended.flush();
    this.#server.tcp.countBytes();
    return this.#metrics.snapshot();
  }

  dump(): object {
    return {
      inFlight: this.#env.inFlight.count,
      hboneSessions: this.#hbone.openSessions,
      httpConnections: this.#server.openConnections,
      tcpConnections: this.#server.tcp.openConnections,
      balancers: this.#env.services.dump(),
      upstream: this.#env.pools.dump(),
      upstreamSessions: this.#hbonePool.sessions(),
    };
  }

  #onConnect(connect: InboundConnect): void {
    const { request, peerIdentity, remote } = connect;
    const { settings } = this.#options;
    const { namespace } = serviceAccountOf(peerIdentity);
    const found = findDestination(this.store, request, settings, namespace);
    if (!found.ok) {
      this.#refuse(connect, 400, found.reason);
      return;
    }
    const claimed = { peerIdentity, remote, forwarded: request.forwarded?.source };
    const source = originalSource(this.store, settings.network, claimed);
    const { host, port } = request;
    const downstream = this.#downstream(serviceName(found.service), port, peerIdentity, {
      source,
      dialled: host,
      accepted: undefined,
    });
    if (downstream === undefined) this.#refuse(connect, 503, `${serviceName(found.service)} is gone`);
    else this.#server.serve(connect.accept(), downstream);
  }

  /** Nobody's service is known to have been asked for, so that the access log has no line for it. */
  #refuse(connect: InboundConnect, status: RefusalStatus, reason: string): void {
    const { peerIdentity, remote, request } = connect;
    this.#options.logger.warn('CONNECT refused', {
      'src.addr': formatHostPort(remote.ip, remote.port),
      'src.identity': peerIdentity,
      authority: request.authority,
      error: reason,
    });
    connect.refuse(status, reason);
  }

  async #listenPlaintext(plaintext: PlaintextListen): Promise<Listener['address']> {
    const { ip, port } = plaintext;
    const accept = (channel: ByteChannel): void => this.#acceptPlaintext(channel, plaintext);
    const listener = await this.#options.engine.listen(
      { ip, port, reusePort: true, sharedReads: true },
      accept,
    );
    this.#plaintext.push(listener);
    return listener.address;
  }

  #acceptPlaintext(channel: ByteChannel, { service, servicePort }: PlaintextListen): void {
    const downstream = this.#downstream(service, servicePort, undefined, {
      source: channel.remoteAddress,
      dialled: '',
      accepted: channel,
    });
    const port = downstream?.service.port(servicePort);
    if (downstream === undefined || port === undefined) {
      const { ip, port: sourcePort } = channel.remoteAddress;
      const reason = `service ${service} has no port ${servicePort}, or is not known`;
      const source = formatHostPort(ip, sourcePort);
      this.#options.logger.warn('connection refused', { 'src.addr': source, error: reason });
      channel.abort(new ChannelError('unreachable', reason));
    } else this.#server.serve(channel, downstream);
  }

  #downstream(
    service: string,
    port: number,
    identity: string | undefined,
    ends: DownstreamEnds,
  ): Downstream | undefined {
    const state = this.#env.services.get(service);
    if (state === undefined) return undefined;
    const { dialled, source } = ends;
    const authz = authzConnection({
      sourceIdentity: identity,
      sourceIp: source.ip,
      destinationIp: canonicalIp(dialled) ?? state.service.addresses[0]?.ip ?? '',
      destinationPort: port,
    });
    const peers = this.#peers.find(identity, source.ip);
    return new Downstream(this.#env, state, port, peers, authz, ends);
  }

  #makeHbonePool(): HbonePool {
    const { engine, clock, random, settings } = this.#options;
    const { connectTimeoutMs: timeoutMs, tunnelCongestion: congestion } = settings;
    return new HbonePool({
      engine,
      clock,
      random,
      dial: (remote, signal) => engine.connect({ remote, timeoutMs, congestion }, signal),
      tlsContext: () => this.#certificate.current(),
      connectTimeoutMs: timeoutMs,
    });
  }

  #place(): Place {
    const { settings } = this.#options;
    let own: Place | undefined;
    for (const ip of settings.ips) own ??= this.store.workloadByAddress(settings.network, ip);
    const { network, locality, nodeName: node, clusterId } = settings;
    own ??= { network, locality, node, clusterId };
    return { ...own, zoneShare: zoneShare(this.store, settings, own.locality) };
  }
}
