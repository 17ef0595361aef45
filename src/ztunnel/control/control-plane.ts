import { createCertificateClient } from '#shared/discovery/certificate-client.ts';
import { DiscoveryClient } from '#shared/discovery/client.ts';
import type { ControllerEndpoint } from '#shared/discovery/controller-channel.ts';
import { createDeltaTransport } from '#shared/discovery/controller-channel.ts';
import { tokenReader, trustBundleReader } from '#shared/discovery/controller-credentials.ts';
import type { DiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import { makeDiscoveryNode } from '#shared/discovery/discovery-node.ts';
import type { DiscoveryListener, DiscoverySource } from '#shared/discovery/discovery-source.ts';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, TRUST_BUNDLE_TYPE } from '#shared/discovery/mesh-resource.ts';
import { SnapshotFile } from '#shared/discovery/snapshot-file.ts';
import { createFakeCa } from '#shared/identity/fake-ca.ts';
import type { RequestCertificate } from '#shared/identity/request-certificate.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { join } from 'node:path';
import type { ZtunnelConfig } from '../config.ts';

export interface ControlPlaneOptions {
  readonly config: ZtunnelConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  readonly listener: DiscoveryListener;
}

/** Where the mesh's state comes from, with what the last process has left of it. */
export async function createDiscovery(options: ControlPlaneOptions): Promise<DiscoverySource> {
  const { config, clock, listener, logger, metrics, random } = options;
  const { address, localPath, rootCa } = config.discovery;
  if (localPath !== undefined) {
    // Loaded on demand: a proxy with a controller has no use for a YAML parser.
    const { LocalSource } = await import('#shared/discovery/local-source.ts');
    return new LocalSource({ path: localPath, listener, clock, logger });
  }
  if (address === undefined) throw new Error('no XDS_ADDRESS');
  const { name, namespace, ip, nodeName, clusterId, clusterDomain } = config.instance;
  const path = config.stateDir === undefined ? undefined : join(config.stateDir, 'mesh.snapshot');
  return new DiscoveryClient({
    transport: createDeltaTransport(endpoint(config, address, rootCa)),
    node: makeDiscoveryNode({
      kind: 'ztunnel',
      name,
      namespace,
      ips: [ip],
      nodeName,
      clusterId,
      clusterDomain,
    }),
    types: [ADDRESS_TYPE, AUTHORIZATION_TYPE, TRUST_BUNDLE_TYPE],
    listener,
    ...(path === undefined ? {} : { snapshot: new SnapshotFile({ path, clock, logger }) }),
    clock,
    random,
    logger: logger.child('xds'),
    metrics,
  });
}

/** How certificates are asked for. A node proxy asks on behalf of its pods; a dedicated one for itself. */
export async function createCertificateSource(
  config: ZtunnelConfig,
  clock: Clock,
): Promise<RequestCertificate> {
  const { fake, address, rootCa } = config.certificates;
  if (fake) return createFakeCa(clock);
  if (address === undefined) throw new Error('no CA_ADDRESS');
  const client = createCertificateClient(endpoint(config, address, rootCa));
  const onBehalf = config.dedicated === undefined;
  return ({ csrPem, identity, ttlMs }) =>
    client.createCertificate({
      csrPem,
      validitySeconds: Math.floor(ttlMs / 1_000),
      impersonatedIdentity: onBehalf ? identity : undefined,
    });
}

function endpoint(config: ZtunnelConfig, address: string, rootCa: string): ControllerEndpoint {
  const { tokenPath } = config.discovery;
  return {
    address,
    trustBundle: trustBundleReader(rootCa),
    token: tokenPath === undefined ? () => undefined : tokenReader(tokenPath),
    clusterId: config.instance.clusterId,
  };
}
