import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiscoveryClient } from '#shared/discovery/client.ts';
import { type ControllerEndpoint, createDeltaTransport } from '#shared/discovery/controller-channel.ts';
import { makeDiscoveryNode } from '#shared/discovery/discovery-node.ts';
import { createDiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import { RESOURCE_TYPES, type ResourceType } from '#shared/discovery/mesh-resource.ts';
import type { SnapshotFile } from '#shared/discovery/snapshot-file.ts';
import type { TrustAnnouncement } from '#shared/discovery/trust-bundle-wire.ts';
import { type Clock, systemClock } from '#shared/lifecycle/clock.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import type { TlsCredential } from '#shared/route/tls-credential.ts';
import { parseSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { directoryCaStore } from '../ca/ca-store.ts';
import { createJoinTokens, type JoinTokens } from '../ca/join-token.ts';
import { ManagedCa } from '../ca/managed-ca.ts';
import { createCertificate } from '../ca/service.ts';
import { authenticateBearer } from '../ca/token-authenticator.ts';
import { DepartedClients } from '../discovery/departed-clients.ts';
import { DiscoveryServer } from '../discovery/discovery-server.ts';
import { GrpcServer } from '../discovery/grpc-server.ts';
import { ResourceStore } from '../discovery/resource-store.ts';
import { issueServerCertificate } from '../discovery/server-certificate.ts';
import { createCaMetrics } from '../ca/ca-metrics.ts';
import { createServerMetrics } from '../discovery/server-metrics.ts';

/** For tests: a controller's discovery and CA over real TLS on the loopback interface, and clients of it. */
export interface LoopbackController {
  readonly store: ResourceStore;
  readonly discovery: DiscoveryServer;
  readonly ca: ManagedCa;
  readonly tokens: JoinTokens;
  readonly port: number;
  endpoint(token: string): ControllerEndpoint;
  /** A token of a node proxy. */
  nodeToken(node?: string): Promise<string>;
  stop(): Promise<void>;
}

export interface LoopbackOptions {
  readonly store?: ResourceStore;
  /** To start again on the same port with the same CA. */
  readonly port?: number;
  readonly ca?: ManagedCa;
  readonly tokens?: JoinTokens;
  readonly isIdentityOnNode?: (identity: SpiffeId, node: string) => boolean;
}

const ZTUNNEL_ID = parseSpiffeId('spiffe://cluster.local/ns/istio-system/sa/ztunnel');
const CONTROLLER_ID = parseSpiffeId('spiffe://cluster.local/ns/istio-system/sa/istiod');

export async function startController(options: LoopbackOptions = {}): Promise<LoopbackController> {
  const trustDomain = parseTrustDomain('cluster.local');
  const clock = systemClock;
  const directory = await mkdtemp(join(tmpdir(), 'ambient-ca-'));
  const ca = options.ca ?? (await ManagedCa.open({ clock, trustDomain, store: directoryCaStore(directory) }));
  const key = await generateKey(softwareProvider, false);
  const tokens = options.tokens ?? (await createJoinTokens({ clock, key, trustDomain }));
  const store = options.store ?? new ResourceStore();
  const metrics = createServerMetrics(new MetricSet());
  const departed = new DepartedClients(clock);
  const discovery = new DiscoveryServer({ store, clock, logger: quietLogger, metrics, departed });
  const issued = await issueServerCertificate({ ca, identity: CONTROLLER_ID, serverNames: ['127.0.0.1'] });
  const isIdentityOnNode = options.isIdentityOnNode ?? (() => false);
  const server = new GrpcServer({
    discovery,
    authenticate: (authorization, signal) => authenticateBearer([tokens], authorization, signal),
    createCertificate: request => createCertificate({ ca, isIdentityOnNode }, request),
    certificate: issued.certificate,
    clock,
    logger: quietLogger,
    metrics,
    caMetrics: createCaMetrics(new MetricSet()),
  });
  const port = await server.listen('127.0.0.1', options.port ?? 0);
  return {
    store,
    discovery,
    ca,
    tokens,
    port,
    endpoint: token => ({
      address: `127.0.0.1:${port}`,
      trustBundle: () => ca.trust.bundle.pem,
      token: () => token,
      clusterId: 'Kubernetes',
    }),
    nodeToken: (node = 'node-a') => tokens.create({ identity: ZTUNNEL_ID, node, ttlMs: 60_000 }),
    stop: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface LoopbackClientOptions {
  readonly types?: readonly ResourceType[];
  readonly mode?: 'wildcard' | 'on_demand';
  readonly snapshot?: SnapshotFile;
  readonly onTrust?: (trust: TrustAnnouncement) => void;
  readonly clock?: Clock;
  readonly node?: string;
}

/** A client that applies what it gets to a store of its own and lets a test wait for a state. */
export class LoopbackClient {
  readonly store = new MeshStore();
  readonly deltas: MeshDelta[] = [];
  /** What TLS is originated with, by name. */
  readonly credentials = new Map<string, TlsCredential>();
  readonly client: DiscoveryClient;
  synced = false;
  #waits: { readonly ready: () => boolean; readonly resolve: () => void }[] = [];

  constructor(endpoint: ControllerEndpoint, options: LoopbackClientOptions = {}) {
    const { types = RESOURCE_TYPES, mode, snapshot, onTrust, clock = systemClock, node = 'node-a' } = options;
    this.client = new DiscoveryClient({
      transport: createDeltaTransport(endpoint),
      node: makeDiscoveryNode('ztunnel', {
        name: `ztunnel-${node}`,
        namespace: 'istio-system',
        ip: '127.0.0.1',
        nodeName: node,
        clusterId: 'Kubernetes',
        clusterDomain: 'cluster.local',
      }),
      types,
      ...(mode === undefined ? {} : { mode }),
      ...(snapshot === undefined ? {} : { snapshot }),
      listener: {
        onDelta: delta => {
          this.deltas.push(delta);
          this.store.apply(delta);
          this.#wake();
        },
        onCredential: (name, credential) => {
          if (credential === undefined) this.credentials.delete(name);
          else this.credentials.set(name, credential);
          this.#wake();
        },
        onSynced: () => {
          this.synced = true;
          this.#wake();
        },
        ...(onTrust === undefined ? {} : { onTrust }),
      },
      clock,
      random: Math.random,
      logger: quietLogger,
      metrics: createDiscoveryMetrics(new MetricSet(), () => clock.now()),
      backoff: { initialMs: 10, maxMs: 50, factor: 2, jitter: 0 },
    });
  }

  /** Resolves when a delta or the end of the first sync has made `ready` true. */
  until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise(resolve => this.#waits.push({ ready, resolve }));
  }

  async start(): Promise<this> {
    this.client.start();
    await this.until(() => this.synced);
    return this;
  }

  #wake(): void {
    const due = this.#waits.filter(w => w.ready());
    this.#waits = this.#waits.filter(w => !due.includes(w));
    for (const wait of due) wait.resolve();
  }
}
