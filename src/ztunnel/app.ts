import type { Address } from '#shared/config/address.ts';
import { createDiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import { systemLookup } from '#shared/dns/host-lookup.ts';
import { NamedEndpoints } from '#shared/dns/named-endpoints.ts';
import type { DiscoverySource } from '#shared/discovery/discovery-source.ts';
import type { CertificateManager } from '#shared/identity/certificate-manager.ts';
import { createCertificateMetrics } from '#shared/identity/certificate-metrics.ts';
import { delay, systemClock } from '#shared/lifecycle/clock.ts';
import { Readiness } from '#shared/lifecycle/readiness.ts';
import { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { loggingRoutes, metricsRoutes, readinessRoute } from '#shared/observability/admin-routes.ts';
import { type AdminRoute, AdminServer } from '#shared/observability/admin-server.ts';
import { createProcessLogger, type Logger, LogLevels } from '#shared/observability/logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { createMetricsExposition } from '#shared/observability/metrics.ts';
import { registerProcess } from '#shared/observability/process-metrics.ts';
import { stateRoutes } from '#shared/observability/state-routes.ts';
import { StateFiles } from '#shared/state/state-files.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import { chooseEngine, type EngineChoice } from '#shared/engine/choose-engine.ts';
import { ChangeGarbage } from '#shared/workers/change-garbage.ts';
import { collectGarbageLater } from '#shared/workers/collect-garbage.ts';
import type { ZtunnelConfig } from './config.ts';
import { connectionSettings } from './control/connection-settings.ts';
import { createDiscovery } from './control/control-plane.ts';
import { dedicatedWorkload, untilMayListen } from './control/dedicated-workload.ts';
import type { ConnectionBounds } from './connections/connection-bounds.ts';
import { DnsServer } from './dns/dns-server.ts';
import { PodEnrolment } from './control/pod-enrolment.ts';
import { keepCertificates } from './control/keep-certificates.ts';
import { MeshState } from './control/mesh-state.ts';
import { NodeCapture } from './control/node-capture.ts';
import { createTrafficThreads } from './control/traffic-threads.ts';
import { isDialledDirectly } from './pod/local-workload.ts';
import type { WorkerPool } from './workers/worker-pool.ts';

export interface Ztunnel {
  /** Drains and ends everything. Resolves within the drain deadline and a little. */
  stop(): Promise<void>;
  readonly logger: Logger;
}

/** Closing waits for a change of rules that is under way; draining does not wait longer than this for it. */
const ORIGINALS_MS = 500;
/** No query is under way for longer. */
const DNS_MS = 5_000;
/** Beside this file in source and bundle alike. */
const WORKER_ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './workers/worker-main.ts' : './workers/worker-main.js',
  import.meta.url,
);

/** Starts the proxy. Rejects when something it cannot do without is missing; nothing is left running then. */
export async function startZtunnel(config: ZtunnelConfig): Promise<Ztunnel> {
  const app = new App(config);
  try {
    await app.start();
  } catch (error) {
    await app.stop(0);
    throw error;
  }
  return { logger: app.logger, stop: () => app.stop(config.drainMs) };
}

class App {
  readonly logger: Logger;
  readonly #config: ZtunnelConfig;
  readonly #levels: LogLevels;
  readonly #metrics = new MetricSet();
  readonly #certificateMetrics = createCertificateMetrics(this.#metrics);
  readonly #readiness: Readiness;
  readonly #faults = new StandingFaults();
  readonly #stateFiles: StateFiles | undefined;
  readonly #store = new MeshStore();
  readonly #garbage = new ChangeGarbage(systemClock);
  readonly #engine: EngineChoice;
  readonly #bounds: ConnectionBounds;
  readonly #workers: WorkerPool;
  readonly #mesh: MeshState;
  /** Whoever holds the originals of listening sockets. */
  readonly #listening: (() => Promise<void> | void)[] = [];
  /** Whatever else runs; stopped in reverse. */
  readonly #stops: (() => Promise<void> | void)[] = [];
  readonly #admin: AdminServer[] = [];
  #capture: NodeCapture | undefined;
  #dns: DnsServer | undefined;

  constructor(config: ZtunnelConfig) {
    this.#config = config;
    this.#levels = new LogLevels(config.log.level);
    for (const [scope, level] of Object.entries(config.log.scopes)) this.#levels.set(level, scope);
    this.logger = createProcessLogger('ztunnel', config.log.format, this.#levels, () => systemClock.now());
    this.#readiness = new Readiness(() => {
      this.logger.info('ready');
      collectGarbageLater(systemClock);
    });
    this.#stateFiles = this.#openStateFiles();
    this.#engine = chooseEngine(config.engine);
    this.logger.info('data path', { engine: this.#engine.name, reason: this.#engine.reason });
    const { bounds, connections } = connectionSettings(config, this.logger);
    this.#bounds = bounds;
    this.#workers = createTrafficThreads(config, {
      entry: WORKER_ENTRY,
      engine: this.#engine.name,
      connections,
      wholeMesh: () => this.#store.toDelta(),
      logger: this.logger,
      metrics: this.#metrics,
    });
    const stateKnown = this.#readiness.register('state of the mesh');
    this.#mesh = new MeshState({
      clock: systemClock,
      logger: this.logger,
      graceMs: config.traffic.connectTimeoutMs,
      stateDir: config.stateDir,
      onKnown: () => {
        this.#workers.meshKnown();
        stateKnown();
      },
    });
  }

  async start(): Promise<void> {
    const config = this.#config;
    const socketsOpen = this.#readiness.register('workload sockets');
    await this.#serve(config.readinessAddress, [this.#readinessRoute()]);
    await this.#workers.start();
    const manager = await this.#createCertificates();
    const discovery = await this.#createDiscovery(manager);
    const enrolment = this.#createEnrolment(manager, discovery);
    await this.#serveAdmin(manager, discovery);
    discovery.start();
    this.#mesh.started();
    await this.#enrolWorkloads(enrolment);
    socketsOpen();
  }

  async stop(drainMs: number): Promise<void> {
    this.#garbage.close();
    this.#mesh.close();
    await this.#capture?.finishRelease(drainMs / 2);
    // A listening socket ends with its last descriptor. The originals go first: the workers accept what waits in its queue
    // before they close theirs, and nobody waits in a queue that no one serves.
    const closed = this.#closeOriginals();
    await Promise.race([closed, delay(systemClock, ORIGINALS_MS)]);
    const answered = this.#dns?.whenIdle(Math.min(drainMs, DNS_MS));
    const drained = this.#workers.drain(drainMs);
    await closed;
    // Policies and certificates go on changing for what is still open.
    await drained;
    await answered;
    for (const stop of this.#stops.toReversed()) await stop();
    await this.#workers.stop();
    await Promise.all(this.#admin.map(server => server.close()));
  }

  async #closeOriginals(): Promise<void> {
    for (const close of this.#listening) await close();
  }

  async #createCertificates(): Promise<CertificateManager> {
    const { manager, stop } = await keepCertificates({
      config: this.#config,
      workers: this.#workers,
      stateFiles: this.#stateFiles,
      faults: this.#faults,
      clock: systemClock,
      metrics: this.#certificateMetrics,
      logger: this.logger.child('identity'),
    });
    this.#stops.push(stop);
    return manager;
  }

  async #createDiscovery(manager: CertificateManager): Promise<DiscoverySource> {
    const named = new NamedEndpoints({
      lookup: systemLookup(),
      clock: systemClock,
      random: Math.random,
      logger: this.logger.child('dns'),
      onDelta: delta => this.#apply(delta),
    });
    this.#stops.push(() => Promise.resolve(named.close()));
    const discovery = await createDiscovery({
      config: this.#config,
      stateFiles: this.#stateFiles,
      clock: systemClock,
      random: Math.random,
      logger: this.logger,
      metrics: createDiscoveryMetrics(this.#metrics, () => systemClock.now()),
      listener: {
        onDelta: delta => {
          this.#apply(named.apply(delta));
          this.#mesh.told();
        },
        onConnected: () => manager.controllerReached(),
        onTrust: trust => manager.trustChanged(trust.version, trust.rootsPem),
        onSynced: () => this.#mesh.synced(),
      },
    });
    this.#stops.push(() => discovery.stop());
    this.#mesh.source = () => discovery.status();
    return discovery;
  }

  #apply(delta: MeshDelta): void {
    this.#store.apply(delta);
    this.#workers.sendDelta(delta);
    this.#garbage.add(delta);
  }

  #createEnrolment(manager: CertificateManager, discovery: DiscoverySource): PodEnrolment {
    const { nodeAgent, traffic, drainMs, instance } = this.#config;
    const workers = new PodEnrolment({
      manager,
      workers: this.#workers,
      trustDomain: traffic.trustDomain,
      drainMs,
    });
    if (nodeAgent !== undefined) {
      const dns = this.#createDns(discovery);
      this.#capture = new NodeCapture({
        config: nodeAgent,
        instance,
        workers,
        dns,
        mesh: this.#mesh.gate,
        missing: () => this.#mesh.missing(),
        trafficWarnings: () => this.#workers.warnings(),
        stateFiles: this.#stateFiles,
        // What this proxy has heard of one of its own pods, its peers have heard at about the same time.
        peersKnowItLeft: pod => isDialledDirectly(this.#store, instance.clusterId, pod),
        clock: systemClock,
        random: Math.random,
        metrics: this.#metrics,
        logger: this.logger,
      });
    }
    return workers;
  }

  #readinessRoute(): AdminRoute {
    return readinessRoute(
      this.#readiness,
      () => this.#warnings(),
      () => this.#capture?.waiting() ?? this.#mesh.missing(),
    );
  }

  #createDns(discovery: DiscoverySource): DnsServer {
    const dns = new DnsServer({
      view: this.#store,
      isKnown: () => this.#mesh.gate.known,
      isCurrent: () => discovery.status().connectedSince !== undefined,
      settings: this.#config.traffic,
      clock: systemClock,
      random: Math.random,
      metrics: this.#metrics,
      logger: this.logger,
    });
    this.#stops.push(() => dns.stop());
    return (this.#dns = dns);
  }

  async #enrolWorkloads(enrolment: PodEnrolment): Promise<void> {
    const { dedicated } = this.#config;
    if (dedicated !== undefined) {
      const mesh = this.#mesh.gate;
      const parts = { mesh, workers: enrolment, clock: systemClock, logger: this.logger };
      await untilMayListen(dedicated, parts);
      const { assignment, close } = dedicatedWorkload(dedicated);
      this.#listening.push(close);
      await enrolment.assign(assignment);
    }
    const capture = this.#capture;
    if (capture === undefined) return;
    this.#listening.push(() => capture.stop());
    await capture.start();
  }

  /** What an operator has to know although the proxy is ready; a line each. */
  #warnings(): readonly string[] {
    return [...(this.#capture?.warnings() ?? this.#workers.warnings()), ...this.#faults.sentences];
  }

  #openStateFiles(): StateFiles | undefined {
    const { stateDir: directory } = this.#config;
    if (directory === undefined) return undefined;
    return new StateFiles({
      directory,
      clock: systemClock,
      random: Math.random,
      logger: this.logger,
      metrics: this.#metrics,
      faults: this.#faults,
    });
  }

  async #serveAdmin(manager: CertificateManager, discovery: DiscoverySource): Promise<void> {
    const { adminAddress, adminSocket, instance, statsAddress } = this.#config;
    const exposition = createMetricsExposition();
    const updateProcess = registerProcess(this.#metrics, 'ztunnel', this.#readiness);
    const render = async (): Promise<string> => {
      updateProcess();
      this.#certificateMetrics.update(manager.gauges());
      this.#capture?.updateMetrics();
      this.#workers.updateMetrics();
      return exposition.render([this.#metrics.snapshot(), ...(await this.#workers.metrics())]);
    };
    const metrics = metricsRoutes(render, exposition.contentType);
    const routes = [
      ...stateRoutes({
        store: this.#store,
        nodeName: instance.nodeName,
        certificates: () => manager.status(),
        discovery: () => discovery.status(),
        config: { ...this.#config, engine: this.#engine, connections: this.#bounds },
        warnings: () => this.#warnings(),
        connections: {
          help: 'every connection carried now',
          dump: async () => ({ connections: (await this.#workers.connections()).flat() }),
        },
      }),
      ...loggingRoutes(this.#levels, (level, scope) => this.#workers.setLogLevel(level, scope)),
      ...metrics,
      ...(this.#capture === undefined ? [] : [this.#capture.route()]),
      this.#readinessRoute(),
    ];
    await this.#serve(adminAddress, routes);
    if (adminSocket !== undefined) await this.#newServer(routes).listen({ unixSocket: adminSocket });
    await this.#serve(statsAddress, metrics);
  }

  async #serve(
    address: Address | undefined,
    routes: ConstructorParameters<typeof AdminServer>[0],
  ): Promise<void> {
    if (address !== undefined) await this.#newServer(routes).listen(address);
  }

  #newServer(routes: ConstructorParameters<typeof AdminServer>[0]): AdminServer {
    const server = new AdminServer(routes, this.logger);
    this.#admin.push(server);
    return server;
  }
}
