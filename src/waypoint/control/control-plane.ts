import { createCertificateSource } from '#shared/discovery/certificate-source.ts';
import { controllerEndpoint } from '#shared/discovery/controller-credentials.ts';
import type { DiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import type { DiscoveryListener, DiscoverySource } from '#shared/discovery/discovery-source.ts';
import { RESOURCE_TYPES } from '#shared/discovery/mesh-resource.ts';
import { createProxyDiscovery } from '#shared/discovery/proxy-discovery.ts';
import { createFakeCa } from '#shared/identity/fake-ca.ts';
import type { RequestCertificate } from '#shared/identity/request-certificate.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { StateFiles } from '#shared/state/state-files.ts';
import type { WaypointConfig } from '../config.ts';
import type { ControllerConfig } from '../config/controller-config.ts';

export interface DiscoveryOptions {
  readonly config: WaypointConfig;
  readonly controller: ControllerConfig;
  readonly stateFiles: StateFiles | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  readonly listener: DiscoveryListener;
}

/** Where workloads, services, policies and routes come from, with what the last process has left of them. */
export function createDiscovery(options: DiscoveryOptions): DiscoverySource {
  const { config, controller, ...rest } = options;
  const { instance } = config;
  const { address, rootCa, tokenPath } = controller;
  return createProxyDiscovery({
    ...rest,
    kind: 'waypoint',
    instance,
    endpoint: controllerEndpoint({ address, rootCa, tokenPath, clusterId: instance.clusterId }),
    types: RESOURCE_TYPES,
  });
}

/** How the waypoint's own certificate is asked for. */
export async function requestCertificates(
  config: WaypointConfig,
  controller: ControllerConfig,
  clock: Clock,
): Promise<RequestCertificate> {
  if (config.fakeCa) return createFakeCa(clock);
  const { caAddress: address, caRootCa: rootCa, tokenPath } = controller;
  const { clusterId } = config.instance;
  return createCertificateSource(controllerEndpoint({ address, rootCa, tokenPath, clusterId }), false);
}
