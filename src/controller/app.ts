import type { KubeConnection } from '#shared/kube/connection.ts';
import { type Clock, systemClock } from '#shared/lifecycle/clock.ts';
import { Readiness } from '#shared/lifecycle/readiness.ts';
import { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { loggingRoutes, readinessRoute } from '#shared/observability/admin-routes.ts';
import { type AdminAddress, type AdminRoute, AdminServer } from '#shared/observability/admin-server.ts';
import { createProcessLogger, type Logger, LogLevels } from '#shared/observability/logger.ts';
import { isSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { debugRoutes } from './admin.ts';
import { announceTrust } from './announce-trust.ts';
import type { Authority } from './authority.ts';
import { ExpiryWatch } from './ca/expiry-watch.ts';
import { caStatusRoute, trustRoutes, type Unconfirmed } from './ca-routes.ts';
import { createCertificate, type CreateCertificateRequest } from './ca/service.ts';
import { authenticateBearer } from './ca/token-authenticator.ts';
import { addClusterTasks } from './cluster-tasks.ts';
import type { ControllerConfig } from './config.ts';
import { ControllerMetrics } from './controller-metrics.ts';
import { DepartedClients } from './discovery/departed-clients.ts';
import { DiscoveryServer } from './discovery/discovery-server.ts';
import { GrpcServer } from './discovery/grpc-server.ts';
import { ResourceStore } from './discovery/resource-store.ts';
import { issueServerCertificate, ServerCertificateRenewal } from './discovery/server-certificate.ts';
import { MeshIndex } from './index/mesh-index.ts';
import type { Leadership } from './kube/leadership.ts';
import { TrustReports, type TrustReportsOptions } from './kube/trust-reports.ts';
import { openPlatform, type Platform } from './platform.ts';
import type { SourceProblem } from './source/object-source.ts';

export interface Controller {
  readonly logger: Logger;
  readonly index: MeshIndex;
  readonly leadership: Leadership;
  /** PEM of the roots that its certificates chain to. */
  readonly trustBundle: () => string;
  /** Port of discovery, for when it was chosen by the system. */
  readonly port: number;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly clock?: Clock;
  readonly levels?: LogLevels;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Of the cluster; default: that of the pod, or of the kubeconfig. */
  readonly connection?: KubeConnection;
}

/** Starts everything, in the order in which it is needed. Rejects with what cannot be started and why. */
export async function startController(
  config: ControllerConfig,
  options: StartOptions = {},
): Promise<Controller> {
  const {
    clock = systemClock,
    connection,
    levels = new LogLevels(config.logLevel),
    random = Math.random,
  } = options;
  const logger = createProcessLogger('controller', config.logFormat, levels, () => clock.now());
  const metrics = new ControllerMetrics();
  const faults = new StandingFaults();
  const readiness = new Readiness(() => logger.info('controller ready'));
  const started = readiness.register('discovery server');

  const platform = await openPlatform({
    config,
    clock,
    random,
    logger,
    faults,
    connection,
    onWatchError: kind => metrics.source.onWatchError(kind),
  });
  const { authority } = platform;
  const store = new ResourceStore();
  const index = new MeshIndex({ ...config, store, logger: logger.child('index') });
  const stopAnnouncing = announceTrust({
    ca: authority.ca,
    rootCertPath: config.ca.rootCertPath,
    store,
    clock,
    logger: logger.child('ca'),
    faults,
  });
  const expiry = new ExpiryWatch({ ca: authority.ca, clock, logger: logger.child('ca'), faults });
  expiry.start();
  const parts = { config, platform, authority, index, store, metrics };
  const served = await createServer({ ...parts, clock, logger: logger.child('discovery') });
  const problems = new Problems(logger.child('source'));
  const { discovery } = served;
  const reports = openTrustReports({ ...parts, discovery, clock, logger: logger.child('ca') });
  const unconfirmed = (): Promise<readonly string[]> =>
    reports?.unconfirmed() ?? Promise.resolve(discovery.unconfirmedTrust());
  const pages = adminPages({ ...parts, readiness, faults, levels, problems, discovery, unconfirmed });
  const admins = await openAdmins(config, logger.child('admin'), pages);
  // Before anyone can connect: a client that came too early would be told that everything is gone.
  await platform.source.start({
    onChange: change => index.apply(change),
    onProblems: found => problems.replace(found),
  });
  const port = await served.server.listen(config.discovery.ip, config.discovery.port);
  addClusterTasks({ config, platform, index, clock, random, logger });
  platform.startLeading();
  reports?.start();
  started();
  logger.info('controller started', { ip: config.discovery.ip, port, trustDomain: config.ca.trustDomain });
  return {
    logger,
    index,
    leadership: platform.leadership,
    trustBundle: () => authority.ca.trust.bundle.pem,
    port,
    stop: async () => {
      // Whoever writes next need not wait for what this replica still has to end.
      await platform.stop();
      await reports?.stop();
      await platform.source.stop();
      served.renewal.stop();
      stopAnnouncing();
      expiry.stop();
      await served.server.stop();
      await Promise.all(admins.map(admin => admin.close()));
    },
  };
}

/** What the source cannot read now. */
class Problems {
  readonly #logger: Logger;
  #found: readonly SourceProblem[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get all(): readonly SourceProblem[] {
    return this.#found;
  }

  replace(found: readonly SourceProblem[]): void {
    this.#found = found;
    for (const p of found) this.#logger.warn('object cannot be read, the last good one stays', { ...p });
  }
}

interface Parts {
  readonly config: ControllerConfig;
  readonly platform: Platform;
  readonly authority: Authority;
  readonly index: MeshIndex;
  readonly store: ResourceStore;
  readonly metrics: ControllerMetrics;
}

interface Served {
  readonly discovery: DiscoveryServer;
  readonly server: GrpcServer;
  readonly renewal: ServerCertificateRenewal;
}

async function createServer(
  parts: Parts & { readonly clock: Clock; readonly logger: Logger },
): Promise<Served> {
  const { authority, clock, config, index, logger, platform, store } = parts;
  const shared = { clock, logger, metrics: parts.metrics.server };
  const discovery = new DiscoveryServer({ store, departed: new DepartedClients(clock), ...shared });
  const certificateOptions = { ca: authority.ca, identity: config.identity, serverNames: config.serverNames };
  const issued = await issueServerCertificate(certificateOptions);
  const server = new GrpcServer({
    discovery,
    authenticate: (authorization, signal) =>
      authenticateBearer(platform.authenticators, authorization, signal),
    createCertificate: request => sign(authority, index, request),
    certificate: issued.certificate,
    caMetrics: parts.metrics.ca,
    ...shared,
  });
  const renewal = new ServerCertificateRenewal(
    { ...certificateOptions, clock, logger },
    issued,
    certificate => server.replaceCertificate(certificate),
  );
  return { discovery, server, renewal };
}

/** Undefined where there is one replica, or the roots are not ours to rotate. */
function openTrustReports(
  parts: Parts & { readonly discovery: DiscoveryServer; readonly clock: Clock; readonly logger: Logger },
): TrustReports | undefined {
  const { api } = parts.platform;
  const { managed: ca } = parts.authority;
  const { source } = parts.config;
  if (api === undefined || ca === undefined || source.kind !== 'kubernetes') return undefined;
  const { clock, discovery, logger } = parts;
  const own = (): ReturnType<TrustReportsOptions['own']> => ({
    confirmed: discovery.confirmedTrust(),
    unconfirmed: discovery.unconfirmedTrust(),
  });
  return new TrustReports({
    api,
    ca,
    own,
    clock,
    logger,
    namespace: source.namespace,
    replica: source.replica,
  });
}

function adminPages(
  parts: Parts & {
    readonly readiness: Readiness;
    readonly faults: StandingFaults;
    readonly levels: LogLevels;
    readonly problems: Problems;
    readonly discovery: DiscoveryServer;
    readonly unconfirmed: Unconfirmed;
  },
): AdminPages {
  const { authority, config, discovery, faults, index, levels, metrics, problems, readiness, store } = parts;
  const { unconfirmed } = parts;
  const { leadership } = parts.platform;
  const warnings = (): readonly string[] => faults.sentences;
  const measured = { ca: authority.ca, discovery, index, leadership, problems: () => problems.all.length };
  const metricsPages = metrics.routes({ ...measured, readiness });
  const readinessPage = readinessRoute(readiness, warnings, parts.platform.waitingFor);
  return {
    pages: [
      ...debugRoutes({
        store,
        discovery,
        index,
        problems: () => problems.all,
        config: config.shown,
        warnings,
      }),
      caStatusRoute(authority, unconfirmed),
      ...loggingRoutes(levels, () => undefined),
      ...metricsPages,
      readinessPage,
      { ...readinessPage, path: '/ready' },
    ],
    trusted: trustRoutes(authority, unconfirmed),
    metrics: metricsPages,
    readiness: [readinessPage],
  };
}

/** Signs for those who may have it, and keeps note of who has what. */
async function sign(
  authority: Authority,
  index: MeshIndex,
  request: CreateCertificateRequest,
): ReturnType<typeof createCertificate> {
  const { ca, ledger } = authority;
  const signer = ca.trust.signerFingerprint;
  const isIdentityOnNode = (identity: string, node: string): boolean =>
    isSpiffeId(identity) && index.isIdentityOnNode(identity, node);
  const response = await createCertificate({ ca, isIdentityOnNode }, request);
  if (response.ok && request.caller.ok) {
    const { caller } = request.caller;
    const holder = caller.kind === 'node' ? `${caller.identity}@${caller.node}` : caller.identity;
    ledger.record(holder, response.identity, { signer, notAfterMs: response.notAfterMs });
  }
  return response;
}

interface AdminPages {
  readonly pages: readonly AdminRoute[];
  /** For the unix socket alone. */
  readonly trusted: readonly AdminRoute[];
  readonly metrics: readonly AdminRoute[];
  readonly readiness: readonly AdminRoute[];
}

/** Rejects when an address is taken; then none is left open. */
async function openAdmins(
  config: ControllerConfig,
  logger: Logger,
  routes: AdminPages,
): Promise<readonly AdminServer[]> {
  const wanted: readonly (readonly [AdminAddress | undefined, readonly AdminRoute[]])[] = [
    [config.adminAddress, routes.pages],
    [
      config.adminSocket === undefined ? undefined : { unixSocket: config.adminSocket },
      [...routes.pages, ...routes.trusted],
    ],
    [config.statsAddress, routes.metrics],
    [config.readinessAddress, routes.readiness],
  ];
  const opened: AdminServer[] = [];
  try {
    for (const [address, pages] of wanted) {
      if (address === undefined) continue;
      const server = new AdminServer(pages, logger);
      opened.push(server);
      await server.listen(address);
    }
    return opened;
  } catch (error) {
    await Promise.all(opened.map(server => server.close()));
    throw error;
  }
}
