import { type Clock, systemClock } from '#shared/lifecycle/clock.ts';
import { Readiness } from '#shared/lifecycle/readiness.ts';
import { ShutdownSignals } from '#shared/lifecycle/shutdown.ts';
import { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { loggingRoutes, metricsRoutes, readinessRoute } from '#shared/observability/admin-routes.ts';
import { AdminServer } from '#shared/observability/admin-server.ts';
import { createProcessLogger, type Logger, LogLevels } from '#shared/observability/logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { createMetricsExposition } from '#shared/observability/metrics.ts';
import { registerProcess } from '#shared/observability/process-metrics.ts';
import { stateRoutes } from '#shared/observability/state-routes.ts';
import type { SpanExporter } from '#shared/tracing/span-exporter.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { chooseTunnelCongestion } from '#shared/engine/choose-congestion.ts';
import { chooseEngine, type EngineChoice } from '#shared/engine/choose-engine.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { prepareRuntimeForTraffic } from '#shared/workers/prepare-runtime.ts';
import { ChangeGarbage } from '#shared/workers/change-garbage.ts';
import { collectGarbageLater } from '#shared/workers/collect-garbage.ts';
import { workerThreads } from '#shared/workers/worker-link.ts';
import { readConfig, type WaypointConfig } from './config.ts';
import type { ControllerConfig } from './config/controller-config.ts';
import type { Membership } from './control/membership.ts';
import { plaintextMesh } from './control/plaintext-mesh.ts';
import { tracingResource } from './tracing/tracing-config.ts';
import { tapRoute } from './tap/tap-route.ts';
import { HEAP_GROWING_PERCENT, WorkerPool, YOUNG_GENERATION_MB } from './workers/worker-pool.ts';

/** Beside this file in source and bundle alike. */
const WORKER_ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './workers/worker-main.ts' : './workers/worker-main.js',
  import.meta.url,
);

/** Runs the waypoint of the environment until a signal; exits with 1 and the reason when it cannot start. */
export async function runFromEnvironment(): Promise<void> {
  try {
    prepareRuntimeForTraffic(systemClock, HEAP_GROWING_PERCENT);
    const signals = new ShutdownSignals();
    const app = new WaypointApp(readConfig(process.env), systemClock);
    await app.start();
    signals.stopWith(app.logger, () => app.stop());
  } catch (error) {
    process.stderr.write(`waypoint: ${errorMessage(error)}\n`);
    process.exit(1);
  }
}

class WaypointApp {
  readonly logger: Logger;
  readonly #config: WaypointConfig;
  readonly #clock: Clock;
  readonly #levels: LogLevels;
  readonly #store = new MeshStore();
  readonly #metrics = new MetricSet();
  readonly #faults = new StandingFaults();
  readonly #garbage: ChangeGarbage;
  readonly #readiness = new Readiness(() => {
    this.logger.info('ready');
    collectGarbageLater(this.#clock);
  });
  readonly #engine: EngineChoice;
  readonly #workers: WorkerPool;
  readonly #admin: AdminServer[] = [];
  #membership: Membership | undefined;
  #spans: SpanExporter | undefined;

  constructor(config: WaypointConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#garbage = new ChangeGarbage(clock);
    this.#levels = new LogLevels(config.logLevel);
    this.logger = createProcessLogger('waypoint', config.logFormat, this.#levels, () => clock.now());
    const { logFormat: format, logLevel: level } = config;
    this.#engine = chooseEngine(config.engine);
    this.logger.info('data path', { engine: this.#engine.name, reason: this.#engine.reason });
    const { congestionControl } = config;
    const tunnelCongestion = chooseTunnelCongestion(congestionControl, this.#engine.name, this.logger);
    const settings = { ...config.traffic, tunnelCongestion };
    this.#workers = new WorkerPool({
      count: config.workerThreads,
      spawn: workerThreads({
        entry: WORKER_ENTRY,
        maxHeapMb: config.workerHeapMb,
        youngGenerationMb: YOUNG_GENERATION_MB,
      }),
      init: { settings, log: { format, level, scopes: {} }, engine: this.#engine.name },
      wholeMesh: () => this.#store.toDelta(),
      clock,
      random: Math.random,
      logger: this.logger,
      metrics: this.#metrics,
      onSpans: (spans, dropped) => this.#spans?.add(spans, dropped),
    });
  }

  async start(): Promise<void> {
    const listening = this.#readiness.register('listeners');
    const { controller, plaintextUpstream } = this.#config;
    await this.#startTracing();
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
    this.#garbage.close();
    await this.#workers.drain(this.#config.drainMs);
    await this.#membership?.stop();
    this.#workers.taps.close();
    await this.#workers.stop();
    await this.#spans?.close();
    await Promise.all(this.#admin.map(server => server.close()));
  }

  /** Accepts once the mesh and a certificate are there: nobody is sent to a waypoint that could only refuse. */
  async #join(controller: ControllerConfig, listening: () => void): Promise<void> {
    const config = this.#config;
    const synced = this.#readiness.register('configuration');
    const certified = this.#readiness.register('certificate');
    // Loaded here, so that the plaintext mode does without the libraries of the control plane.
    const { joinMesh } = await import('./control/membership.ts');
    this.#membership = await joinMesh({
      config,
      controller,
      clock: this.#clock,
      logger: this.logger,
      metrics: this.#metrics,
      faults: this.#faults,
      onCertificate: material => {
        this.#workers.setCertificate(material);
        certified();
      },
      onDelta: delta => this.#apply(delta),
      view: this.#store,
      onHostFailed: failed => this.#workers.sendHostFailure(failed),
      onKeys: command => this.#workers.sendKeys(command),
      onCredential: command => this.#workers.setCredential(command),
      onSynced: synced,
    });
    this.#workers.keys = this.#membership.keys;
    this.#workers.hosts = this.#membership.hosts;
    // A snapshot of an earlier process is restored at once and is as good as a controller's word.
    if (this.#store.version > 0) synced();
    await this.#workers.listen();
    listening();
  }

  /** Loaded only where it is asked for: gRPC and protobuf take memory. */
  async #startTracing(): Promise<void> {
    const { instance, tracing, traffic } = this.#config;
    if (tracing === undefined) return;
    const { startTracing } = await import('./tracing/start-tracing.ts');
    this.#spans = startTracing({
      config: tracing,
      resource: tracingResource(instance, tracing.serviceName, traffic.hostname),
      clock: this.#clock,
      logger: this.logger,
      metrics: this.#metrics,
    });
  }

  #apply(delta: MeshDelta): void {
    this.#store.apply(delta);
    this.#workers.sendDelta(delta);
    this.#garbage.add(delta);
  }

  async #startAdmin(): Promise<void> {
    const { adminAddress, adminSocket, readinessAddress, statsAddress } = this.#config;
    const exposition = createMetricsExposition();
    const updateProcess = registerProcess(this.#metrics, 'waypoint', this.#readiness);
    const render = async (): Promise<string> => {
      updateProcess();
      this.#membership?.updateMetrics();
      return exposition.render([this.#metrics.snapshot(), ...(await this.#workers.metrics())]);
    };
    const metrics = metricsRoutes(render, exposition.contentType);
    const warnings = (): readonly string[] => this.#faults.sentences;
    const readiness = readinessRoute(this.#readiness, warnings);
    const state = stateRoutes({
      store: this.#store,
      nodeName: this.#config.instance.nodeName,
      certificates: () => this.#membership?.certificates() ?? [],
      discovery: () => this.#membership?.discovery(),
      config: { ...this.#config, engine: this.#engine },
      warnings,
      connections: {
        help: 'requests in progress, connections and pools of each thread',
        dump: async () => ({ threads: await this.#workers.connections() }),
      },
    });
    const logging = loggingRoutes(this.#levels, (level, scope) => this.#workers.setLogLevel(level, scope));
    const tap = tapRoute(this.#workers.taps);
    const admin = new AdminServer([...state, tap, ...logging, ...metrics, readiness], this.logger);
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
