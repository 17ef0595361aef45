import { createDiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import type { DiscoverySource } from '#shared/discovery/discovery-source.ts';
import { CertificateManager } from '#shared/identity/certificate-manager.ts';
import { type Clock, systemClock } from '#shared/lifecycle/clock.ts';
import { Readiness } from '#shared/lifecycle/readiness.ts';
import { onShutdownSignal } from '#shared/lifecycle/shutdown.ts';
import { loggingRoutes, metricsRoutes, readinessRoute } from '#shared/observability/admin-routes.ts';
import { AdminServer } from '#shared/observability/admin-server.ts';
import { registerBuild } from '#shared/observability/build-info.ts';
import { createProcessLogger, type Logger, LogLevels } from '#shared/observability/logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { createMetricsExposition } from '#shared/observability/metrics.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { stateRoutes } from './admin/state-routes.ts';
import type { ControllerConfig, WaypointConfig } from './config.ts';
import { createCertificateSource, createDiscovery } from './control/control-plane.ts';
import { plaintextMesh } from './control/plaintext-mesh.ts';
import { WorkerPool } from './workers/worker-pool.ts';

/** Wires the waypoint and runs it until a signal. Rejects when it cannot start. */
export async function runWaypoint(config: WaypointConfig, entry: URL): Promise<void> {
  const app = new WaypointApp(config, entry, systemClock);
  await app.start();
  onShutdownSignal(app.logger, () => app.stop());
}

class WaypointApp {
  readonly logger: Logger;
  readonly #config: WaypointConfig;
  readonly #clock: Clock;
  readonly #levels: LogLevels;
  readonly #store = new MeshStore();
  readonly #metrics = new MetricSet();
  readonly #readiness = new Readiness(() => this.logger.info('ready'));
  readonly #workers: WorkerPool;
  readonly #admin: AdminServer[] = [];
  #certificates: CertificateManager | undefined;
  #discovery: DiscoverySource | undefined;

  constructor(config: WaypointConfig, entry: URL, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#levels = new LogLevels(config.logLevel);
    this.logger = createProcessLogger('waypoint', config.logFormat, this.#levels, () => clock.now());
    registerBuild(this.#metrics, 'waypoint');
    const { logFormat, logLevel, traffic: settings } = config;
    this.#workers = new WorkerPool({
      count: config.workerThreads,
      entry,
      maxHeapMb: config.workerHeapMb,
      init: { settings, logFormat, logLevel },
      wholeMesh: () => this.#store.toDelta(),
      clock,
      random: Math.random,
      logger: this.logger,
    });
  }

  async start(): Promise<void> {
    const listening = this.#readiness.register('listeners');
    const { controller, plaintextUpstream } = this.#config;
    await this.#startAdmin();
    await this.#workers.start();
    if (plaintextUpstream !== undefined) this.#apply(plaintextMesh(plaintextUpstream));
    if (controller === undefined) {
      await this.#workers.listen();
      listening();
    } else await this.#join(controller, listening);
  }

  /** Not ready any more, then GOAWAY and `Connection: close`, then the end of what is under way. */
  async stop(): Promise<void> {
    this.#readiness.register('drain');
    await this.#workers.drain(this.#config.drainMs);
    await this.#discovery?.stop();
    this.#certificates?.close();
    await this.#workers.stop();
    await Promise.all(this.#admin.map(server => server.close()));
  }

  /** Accepts once the mesh and a certificate are there: nobody is sent to a waypoint that could only refuse. */
  async #join(controller: ControllerConfig, listening: () => void): Promise<void> {
    const config = this.#config;
    const synced = this.#readiness.register('configuration');
    const certified = this.#readiness.register('certificate');
    const requestCertificate = await createCertificateSource(config, controller, this.#clock);
    const certificates = new CertificateManager({
      clock: this.#clock,
      requestCertificate,
      ttlMs: config.certificateTtlMs,
      onFailure: ({ identity, message, retryInMs }) =>
        this.logger.warn('certificate not renewed', {
          identity,
          error: message,
          retryInMs: Math.round(retryInMs),
        }),
    });
    this.#certificates = certificates;
    certificates.subscribe(update => {
      if (update.type !== 'certificate') return;
      this.#workers.setCertificate(update.material);
      certified();
    });
    certificates.retain(config.identity, 'RealTime');
    this.#discovery = createDiscovery({
      config,
      controller,
      clock: this.#clock,
      random: Math.random,
      logger: this.logger,
      metrics: createDiscoveryMetrics(this.#metrics),
      listener: {
        onDelta: delta => this.#apply(delta),
        onTrust: trust => certificates.trustChanged(trust.version, trust.rootsPem),
        onSynced: synced,
      },
    });
    this.#discovery.start();
    // A snapshot of an earlier process is restored at once and is as good as a controller's word.
    if (this.#store.version > 0) synced();
    await this.#workers.listen();
    listening();
  }

  #apply(delta: MeshDelta): void {
    this.#store.apply(delta);
    this.#workers.sendDelta(delta);
  }

  async #startAdmin(): Promise<void> {
    const { adminAddress, adminSocket, readinessAddress, statsAddress } = this.#config;
    const exposition = createMetricsExposition();
    const render = async (): Promise<string> =>
      exposition.render([this.#metrics.snapshot(), ...(await this.#workers.metrics())]);
    const metrics = metricsRoutes(render, exposition.contentType);
    const readiness = readinessRoute(this.#readiness);
    const state = stateRoutes({
      store: this.#store,
      nodeName: this.#config.instance.nodeName,
      certificates: () => this.#certificates?.status() ?? [],
      discovery: () => this.#discovery?.status(),
      threads: () => this.#workers.dump(),
      config: this.#config,
    });
    const logging = loggingRoutes(this.#levels, (level, scope) => this.#workers.setLogLevel(level, scope));
    const admin = new AdminServer([...state, ...logging, ...metrics, readiness], this.logger);
    this.#admin.push(admin);
    if (adminAddress !== undefined) await admin.listen(adminAddress);
    if (adminSocket !== undefined) await admin.listen({ unixSocket: adminSocket });
    for (const [address, routes] of [
      [statsAddress, metrics],
      [readinessAddress, [readiness]],
    ] as const) {
      if (address === undefined) continue;
      const server = new AdminServer(routes, this.logger);
      this.#admin.push(server);
      await server.listen(address);
    }
  }
}
