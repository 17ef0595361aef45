import { join } from 'node:path';
import { createCertificateClient } from '#shared/discovery/certificate-client.ts';
import { DiscoveryClient } from '#shared/discovery/client.ts';
import { type ControllerEndpoint, createDeltaTransport } from '#shared/discovery/controller-channel.ts';
import { tokenReader, trustBundleReader } from '#shared/discovery/controller-credentials.ts';
import type { DiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import { makeDiscoveryNode } from '#shared/discovery/discovery-node.ts';
import type { DiscoveryListener, DiscoverySource } from '#shared/discovery/discovery-source.ts';
import { RESOURCE_TYPES } from '#shared/discovery/mesh-resource.ts';
import { SnapshotFile } from '#shared/discovery/snapshot-file.ts';
import { createFakeCa } from '#shared/identity/fake-ca.ts';
import type { RequestCertificate } from '#shared/identity/request-certificate.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { ControllerConfig, WaypointConfig } from '../config.ts';

export interface DiscoveryOptions {
  readonly config: WaypointConfig;
  readonly controller: ControllerConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  readonly listener: DiscoveryListener;
}

/** Where workloads, services, policies and routes come from, with what the last process has left of them. */
export function createDiscovery(options: DiscoveryOptions): DiscoverySource {
  const { clock, config, controller, listener, logger, metrics, random } = options;
  const { name, namespace, ip, nodeName, clusterId, clusterDomain } = config.instance;
  const path = config.stateDir === undefined ? undefined : join(config.stateDir, 'mesh.snapshot');
  return new DiscoveryClient({
    transport: createDeltaTransport(endpoint(config, controller, controller.address, controller.rootCa)),
    node: makeDiscoveryNode({
      kind: 'waypoint',
      name,
      namespace,
      ips: [ip],
      nodeName,
      clusterId,
      clusterDomain,
    }),
    types: RESOURCE_TYPES,
    listener,
    ...(path === undefined ? {} : { snapshot: new SnapshotFile({ path, clock, logger }) }),
    clock,
    random,
    logger: logger.child('xds'),
    metrics,
  });
}

/** How the waypoint's own certificate is asked for. */
export async function createCertificateSource(
  config: WaypointConfig,
  controller: ControllerConfig,
  clock: Clock,
): Promise<RequestCertificate> {
  if (config.fakeCa) return createFakeCa(clock);
  const client = createCertificateClient(
    endpoint(config, controller, controller.caAddress, controller.caRootCa),
  );
  return ({ csrPem, ttlMs }) =>
    client.createCertificate({
      csrPem,
      validitySeconds: Math.floor(ttlMs / 1_000),
      impersonatedIdentity: undefined,
    });
}

function endpoint(
  config: WaypointConfig,
  { tokenPath }: ControllerConfig,
  address: string,
  rootCa: string,
): ControllerEndpoint {
  return {
    address,
    trustBundle: trustBundleReader(rootCa),
    token: tokenPath === undefined ? () => undefined : tokenReader(tokenPath),
    clusterId: config.instance.clusterId,
  };
}
