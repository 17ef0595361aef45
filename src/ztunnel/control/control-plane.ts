import { createCertificateSource } from '#shared/discovery/certificate-source.ts';
import { controllerEndpoint } from '#shared/discovery/controller-credentials.ts';
import type { DiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import type { DiscoveryListener, DiscoverySource } from '#shared/discovery/discovery-source.ts';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, TRUST_BUNDLE_TYPE } from '#shared/discovery/mesh-resource.ts';
import { createProxyDiscovery } from '#shared/discovery/proxy-discovery.ts';
import { createFakeCa } from '#shared/identity/fake-ca.ts';
import type { RequestCertificate } from '#shared/identity/request-certificate.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { StateFiles } from '#shared/state/state-files.ts';
import type { ZtunnelConfig } from '../config.ts';

export interface ControlPlaneOptions {
  readonly config: ZtunnelConfig;
  readonly stateFiles: StateFiles | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  readonly listener: DiscoveryListener;
}

/** Where the mesh's state comes from, with what the last process has left of it. */
export async function createDiscovery(options: ControlPlaneOptions): Promise<DiscoverySource> {
  const { config, ...rest } = options;
  const { discovery, instance } = config;
  const { address, localPath, rootCa, tokenPath } = discovery;
  if (localPath !== undefined) {
    // Loaded on demand: a proxy with a controller has no use for a YAML parser.
    const { LocalSource } = await import('#shared/discovery/local-source.ts');
    return new LocalSource({ path: localPath, ...rest });
  }
  if (address === undefined) throw new Error('no XDS_ADDRESS');
  return createProxyDiscovery({
    ...rest,
    kind: 'ztunnel',
    instance,
    endpoint: controllerEndpoint({ address, rootCa, tokenPath, clusterId: instance.clusterId }),
    types: [ADDRESS_TYPE, AUTHORIZATION_TYPE, TRUST_BUNDLE_TYPE],
  });
}

/** How certificates are asked for. A node proxy asks on behalf of its pods; a dedicated one for itself. */
export async function requestCertificates(config: ZtunnelConfig, clock: Clock): Promise<RequestCertificate> {
  const { certificates, dedicated, discovery, instance } = config;
  const { fake, address, rootCa } = certificates;
  if (fake) return createFakeCa(clock);
  if (address === undefined) throw new Error('no CA_ADDRESS');
  const { tokenPath } = discovery;
  const endpoint = controllerEndpoint({ address, rootCa, tokenPath, clusterId: instance.clusterId });
  return createCertificateSource(endpoint, dedicated === undefined);
}
