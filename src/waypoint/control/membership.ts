import { trustBundleReader } from '#shared/discovery/controller-credentials.ts';
import { createDiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import type { DiscoveryStatus } from '#shared/discovery/discovery-source.ts';
import { systemLookup } from '#shared/dns/host-lookup.ts';
import { NamedEndpoints } from '#shared/dns/named-endpoints.ts';
import type { TlsMaterial } from '#shared/engine/engine.ts';
import { CertificateManager } from '#shared/identity/certificate-manager.ts';
import { type CertificateMetrics, createCertificateMetrics } from '#shared/identity/certificate-metrics.ts';
import type { CertificateStatus } from '#shared/identity/certificate-status.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import { routesHeldBy } from '#shared/route/canary-routes.ts';
import { StateFiles } from '#shared/state/state-files.ts';
import type { MeshDelta, MeshView } from '#shared/workload/mesh-view.ts';
import type { WaypointConfig } from '../config.ts';
import type { ControllerConfig } from '../config/controller-config.ts';
import type { FailedHost } from '../hosts/awaited-hosts.ts';
import type { CredentialCommand, KeysCommand } from '../workers/messages.ts';
import { requestCertificates, createDiscovery } from './control-plane.ts';
import { AskedHosts } from './hosts/asked-hosts.ts';
import { dialable } from './hosts/reachable-alone.ts';
import { documentFetcher } from './keys/fetch-document.ts';
import { KeyServer } from './keys/key-server.ts';

/** What makes this process part of a mesh: its certificate and its configuration, kept up to date. */
export interface Membership {
  certificates(): readonly CertificateStatus[];
  discovery(): DiscoveryStatus;
  /** Keys of the token issuers that the configuration names. */
  readonly keys: KeyServer;
  /** Endpoints of hosts that requests name. */
  readonly hosts: AskedHosts;
  /** Before a scrape: gauges of the certificate. */
  updateMetrics(): void;
  stop(): Promise<void>;
}

export interface MembershipOptions {
  readonly config: WaypointConfig;
  readonly controller: ControllerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MetricSet;
  readonly faults: StandingFaults;
  /** Now, and again whenever it is renewed. */
  readonly onCertificate: (material: TlsMaterial) => void;
  readonly onDelta: (delta: MeshDelta) => void;
  /** With all that `onDelta` has been told. */
  readonly view: MeshView;
  /** No endpoint was found for a host that requests ask for. */
  readonly onHostFailed: (failed: FailedHost) => void;
  /** Keys of a token issuer were fetched, or could not be. */
  readonly onKeys: (command: KeysCommand) => void;
  /** Something that TLS is originated with. */
  readonly onCredential: (command: CredentialCommand) => void;
  /** Once: the configuration is complete. */
  readonly onSynced: () => void;
}

/** Never rejects for want of a controller: it is waited for, with what the last process has left in force. */
export async function joinMesh(options: MembershipOptions): Promise<Membership> {
  const { clock, config, controller, faults, logger, metrics, onDelta } = options;
  const random = Math.random;
  const certificateMetrics = createCertificateMetrics(metrics);
  const certificates = await keepCertificate(options, certificateMetrics);
  const keys = new KeyServer({
    clock,
    random,
    logger,
    fetch: documentFetcher(
      config.jwksRoots === undefined ? undefined : trustBundleReader(config.jwksRoots),
      dialable(config.traffic.ips),
    ),
    publish: options.onKeys,
  });
  const named = new NamedEndpoints({
    lookup: systemLookup(),
    clock,
    random,
    logger: logger.child('dns'),
    onDelta,
  });
  const hosts = new AskedHosts({
    view: options.view,
    place: config.traffic,
    lookup: systemLookup(),
    clock,
    random,
    logger: logger.child('dns'),
    onDelta,
    onFailed: options.onHostFailed,
  });
  const { stateDir: directory } = config;
  const discovery = createDiscovery({
    config,
    controller,
    stateFiles:
      directory === undefined
        ? undefined
        : new StateFiles({ directory, clock, random, logger, metrics, faults }),
    clock,
    random,
    logger,
    metrics: createDiscoveryMetrics(metrics, () => clock.now()),
    listener: {
      onDelta(received) {
        const routes = received.routes.map(one => routesHeldBy(one, config.traffic));
        const delta = { ...received, routes };
        hosts.beforeChange(delta);
        onDelta(named.apply(delta));
        keys.onDelta(delta);
      },
      onCredential: (name, credential) => options.onCredential({ kind: 'credential', name, credential }),
      onConnected: () => certificates.controllerReached(),
      onTrust: trust => certificates.trustChanged(trust.version, trust.rootsPem),
      onSynced: options.onSynced,
    },
  });
  discovery.start();
  return {
    certificates: () => certificates.status(),
    discovery: () => discovery.status(),
    keys,
    hosts,
    updateMetrics: () => certificateMetrics.update(certificates.gauges()),
    async stop() {
      keys.stop();
      named.close();
      hosts.close();
      await discovery.stop();
      certificates.close();
    },
  };
}

async function keepCertificate(
  options: MembershipOptions,
  metrics: CertificateMetrics,
): Promise<CertificateManager> {
  const { clock, config, controller, logger, onCertificate } = options;
  const certificates = new CertificateManager({
    clock,
    requestCertificate: await requestCertificates(config, controller, clock),
    ttlMs: config.certificateTtlMs,
    onFailure: ({ identity, message, retryInMs }) => {
      metrics.onFailure();
      logger.warn('certificate not renewed', { identity, error: message, retryInMs: Math.round(retryInMs) });
    },
  });
  certificates.subscribe(update => {
    if (update.type === 'certificate') onCertificate(update.material);
  });
  certificates.retain(config.identity, 'RealTime');
  return certificates;
}
