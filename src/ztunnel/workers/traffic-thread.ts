import { Denials } from '#shared/authz/denials.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine, TcpChannel, TlsMaterial } from '#shared/engine/engine.ts';
import { HbonePool } from '#shared/hbone/session-pool.ts';
import { delay, type Clock } from '#shared/lifecycle/clock.ts';
import { AccessLog } from '#shared/observability/access-log.ts';
import type { BytesWriter } from '#shared/observability/line-sink.ts';
import type { LogFormat, Logger } from '#shared/observability/logger.ts';
import { MetricSet, type FamilySnapshot } from '#shared/observability/metric-set.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import { dumpConnection, type ConnectionDump } from '../connections/connection-dump.ts';
import { ConnectionManager } from '../connections/connection-manager.ts';
import { PlaceKeeper, type PodPlaces } from '../connections/place-keeper.ts';
import { RecentFailures } from '../outbound/recent-failures.ts';
import { CertificateStore } from '../pod/certificate-store.ts';
import { netnsDialer, plainDialer, type Dialer } from '../pod/dialer.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import { MeshGate } from '../pod/mesh-gate.ts';
import { PodContext } from '../pod/pod-context.ts';
import { PodProxy } from '../pod/pod-proxy.ts';
import { PolicyCache } from '../pod/policy-cache.ts';
import type { TrafficContext, TrafficSettings } from '../pod/traffic-context.ts';
import type { OriginalDestination } from '../redirect/original-dst.ts';
import { TcpMetrics } from '#shared/observability/tcp-metrics.ts';
import type { PodAssignment } from './messages.ts';

export interface TrafficThreadOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: TrafficSettings;
  /** Which of the threads this is, from 0. */
  readonly index: number;
  readonly logger: Logger;
  readonly logFormat: LogFormat;
  readonly logWriter: BytesWriter;
  readonly originalDestination: (channel: TcpChannel) => OriginalDestination;
}

/** Everything of one thread that carries traffic. Driven by messages in a worker, or called directly in tests. */
export class TrafficThread {
  readonly store = new MeshStore();
  readonly connections: ConnectionManager;
  readonly #options: TrafficThreadOptions;
  readonly #metrics = new MetricSet();
  readonly #certificates: CertificateStore;
  readonly #policies = new PolicyCache();
  readonly #places: PlaceKeeper;
  readonly #gate: MeshGate;
  readonly #context: TrafficContext;
  readonly #pods = new Map<string, PodProxy>();
  /** No longer accept, and still carry connections: policy and evictions hold for them too. */
  readonly #leaving = new Set<PodProxy>();

  constructor(options: TrafficThreadOptions) {
    this.#options = options;
    const { clock, engine, logger, logFormat: format, logWriter: writer } = options;
    this.#certificates = new CertificateStore(engine, clock);
    this.#places = new PlaceKeeper({
      settings: options.settings.connections,
      thread: options.index,
      clock,
      logger,
      metrics: this.#metrics,
    });
    const accessLogger = logger.child('access');
    const denials = new Denials(this.#metrics);
    this.connections = new ConnectionManager({
      clock,
      accessLog: new AccessLog({ format, writer, now: () => clock.now(), subject: 'connection' }),
      logsConnections: () => accessLogger.enabled('info'),
      metrics: new TcpMetrics(this.#metrics),
      denials,
    });
    this.#gate = new MeshGate(clock, options.settings.connectTimeoutMs);
    this.#context = {
      ...options,
      view: this.store,
      gate: this.#gate,
      certificates: this.#certificates,
      policies: this.#policies,
      denials,
      connections: this.connections,
      failures: new RecentFailures(clock),
    };
  }

  apply(delta: MeshDelta): void {
    const change = this.store.apply(delta);
    for (const uid of change.evictedWorkloads) {
      for (const { pod } of this.#proxies()) pod.pool.evictWorkload(uid);
    }
    if (!change.policyChanged) return;
    const cut = this.connections.recheck(podUid => this.#policiesOf(podUid));
    if (cut > 0) this.#options.logger.info('policy changed: connections cut', { connections: cut });
  }

  /** All that is known of the mesh has been applied: from here on connections go as it says. */
  meshKnown(): void {
    this.#gate.open();
  }

  /** A certificate that does not parse leaves the last good one in place. */
  setCertificate(identity: string, material: TlsMaterial): void {
    this.#certificates.set(identity, material);
    for (const { pod } of this.#pods.values())
      if (pod.identity === identity) pod.pool.evictIdentity(identity);
  }

  removeCertificate(identity: string): void {
    this.#certificates.remove(identity);
  }

  /** Takes over the descriptors. Rejects when a listener cannot be opened; nothing stays open then. */
  async enrol(assignment: PodAssignment): Promise<void> {
    const { info, listeners } = assignment;
    await this.#pods
      .get(info.uid)
      ?.close(new ChannelError('aborted', `workload ${info.uid} was enrolled again`));
    const dialer = this.#dialerFor(assignment);
    const places = this.#places.placesOf(info, assignment.counts);
    const pod = new PodContext(this.#context, info, dialer, this.#poolFor(dialer, places), places);
    const proxy = new PodProxy(pod, assignment.netnsFd);
    this.#pods.set(info.uid, proxy);
    try {
      await proxy.listen(listeners);
    } catch (error) {
      this.#pods.delete(info.uid);
      await proxy.close(new ChannelError('aborted', 'the workload could not be enrolled'));
      throw error;
    }
  }

  update(info: LocalWorkloadInfo): void {
    const proxy = this.#pods.get(info.uid);
    if (proxy !== undefined) proxy.pod.info = info;
  }

  /** Resolves when nothing of the workload is in use any more: at once, or when its connections have ended. */
  async leave(podUid: string, drainMs: number): Promise<void> {
    const proxy = this.#pods.get(podUid);
    if (proxy === undefined) return;
    this.#pods.delete(podUid);
    this.#leaving.add(proxy);
    if (drainMs > 0) {
      await proxy.drain();
      await this.#untilPodIsIdle(podUid, drainMs);
    }
    await proxy.close(new ChannelError('drain', 'the workload left the mesh'));
    this.#leaving.delete(proxy);
  }

  /** @returns how many connections had to be cut at the deadline. */
  async drain(deadlineMs: number): Promise<number> {
    await Promise.all([...this.#pods.values()].map(proxy => proxy.drain()));
    const deadline = new AbortController();
    const timer = this.#options.clock.setTimer(deadlineMs, () => deadline.abort());
    await Promise.race([this.connections.whenEmpty(), once(deadline.signal)]);
    timer.cancel();
    const left = this.connections.live.length;
    const reason = new ChannelError('drain', `cut at the end of the drain of ${deadlineMs} ms`);
    this.connections.abortAll(reason);
    await Promise.all(this.#proxies().map(proxy => proxy.close(reason)));
    return left;
  }

  metrics(): FamilySnapshot[] {
    this.connections.countBytes();
    return this.#metrics.snapshot();
  }

  dumpConnections(): ConnectionDump[] {
    return this.connections.live.map(dumpConnection);
  }

  /** For tests and the process's end: cuts everything. */
  async close(): Promise<void> {
    const reason = new ChannelError('aborted', 'the proxy stops');
    this.connections.abortAll(reason);
    await Promise.all(this.#proxies().map(proxy => proxy.close(reason)));
    this.#pods.clear();
  }

  #proxies(): PodProxy[] {
    return [...this.#pods.values(), ...this.#leaving];
  }

  #leavingProxy(podUid: string): PodProxy | undefined {
    for (const proxy of this.#leaving) if (proxy.pod.info.uid === podUid) return proxy;
    return undefined;
  }

  #policiesOf(podUid: string): ReturnType<PolicyCache['of']> | undefined {
    const current = (this.#pods.get(podUid) ?? this.#leavingProxy(podUid))?.pod.current();
    return current?.known === true ? this.#policies.of(this.store, current.workload) : undefined;
  }

  #dialerFor({ netnsFd, info }: PodAssignment): Dialer {
    const { engine, settings } = this.#options;
    const { connectTimeoutMs, originalSource, tunnelCongestion } = settings;
    const common = { engine, connectTimeoutMs, originalSource, tunnelCongestion };
    return netnsFd === undefined
      ? plainDialer({ ...common, localIps: info.ips })
      : netnsDialer({ ...common, netnsFd });
  }

  #poolFor(dialer: Dialer, { sessions }: PodPlaces): HbonePool {
    const { engine, clock, random, settings } = this.#options;
    return new HbonePool({
      engine,
      clock,
      random,
      dial: (remote, signal) => dialer.dialProxy(remote, signal),
      tlsContext: identity => this.#certificates.get(identity),
      idleTimeoutMs: settings.poolIdleTimeoutMs,
      maxStreamsPerConnection: settings.maxStreamsPerConnection,
      connectTimeoutMs: settings.connectTimeoutMs,
      http2: settings.http2,
      sessions,
    });
  }

  /** Connections of one workload are counted now and then: leaving is rare, and nothing waits for the exact moment. */
  async #untilPodIsIdle(podUid: string, drainMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + drainMs;
    while (clock.monotonic() < deadline && this.connections.live.some(c => c.podUid === podUid)) {
      await delay(clock, Math.min(100, drainMs));
    }
  }
}

function once(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
