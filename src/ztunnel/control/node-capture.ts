import { join } from 'node:path';
import { KubeClient } from '#shared/kube/client.ts';
import { inClusterConnection } from '#shared/kube/in-cluster.ts';
import { VERSION } from '#shared/config/version.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import { type AdminRoute, json } from '#shared/observability/admin-server.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { NodeAgentConfig, PodSourceConfig } from '../config/node-agent-config.ts';
import { AdmissionServer } from '../node/cni/admission-server.ts';
import { ChainKeeper } from '../node/cni/chain-keeper.ts';
import { PodAdmission } from '../node/cni/pod-admission.ts';
import { DirectoryPodSource } from '../node/directory-pod-source.ts';
import type { PodWorkers } from '../node/enrolment.ts';
import { createNetnsFinder } from '../node/kubernetes/netns-finder.ts';
import { PodSnapshot } from '../node/kubernetes/pod-snapshot.ts';
import { KubernetesPodSource } from '../node/kubernetes/pod-source.ts';
import { UninstallWatch } from '../node/kubernetes/uninstall-watch.ts';
import type { LocalPod } from '../node/local-pod.ts';
import { NodeAgent } from '../node/node-agent.ts';
import { createNodeMetrics, type NodeMetrics } from '../node/node-metrics.ts';
import { nodeAddresses } from '../node/probe-sources.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { CAPTURE_PORTS, DEFAULT_PROBE_SOURCES } from '../redirect/capture-rules.ts';
import { createNft } from '../redirect/nft.ts';

export interface NodeAgentParts {
  readonly config: NodeAgentConfig;
  readonly instance: ProxyInstance;
  readonly workers: PodWorkers;
  /** Undefined: nothing is kept for the next start. */
  readonly stateDir: string | undefined;
  readonly peersKnowItLeft: (pod: LocalPod) => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: MetricSet;
  readonly logger: Logger;
}

/** Everything that captures the pods of this node. */
export class NodeCapture {
  readonly #parts: NodeAgentParts;
  readonly #metrics: NodeMetrics;
  readonly #rules: CaptureRules;
  readonly #agent: NodeAgent;
  readonly #kubernetes: KubernetesNode | undefined;

  /** Throws when the API server's address or the capture options make no sense. */
  constructor(parts: NodeAgentParts) {
    this.#parts = parts;
    this.#metrics = createNodeMetrics(parts.metrics);
    const { config } = parts;
    this.#rules = { excludedNamespaces: new Set(config.excludedNamespaces) };
    if (config.source.kind === 'kubernetes') {
      this.#kubernetes = new KubernetesNode(
        parts,
        config.source,
        this.#rules,
        this.#metrics,
        () => this.#agent,
      );
    }
    this.#agent = this.#createAgent();
  }

  /** Resolves when every pod that was there at the start is captured, or has failed to be for the first time. */
  async start(): Promise<void> {
    await this.#kubernetes?.beforePods();
    await this.#agent.start();
    await this.#kubernetes?.afterPods();
  }

  /** Rules stay, unless the mesh is being uninstalled: a captured pod waits for the next ztunnel. */
  async stop(): Promise<void> {
    await this.#kubernetes?.stop();
    await this.#agent.stop();
  }

  /** Resolves when a removal of the mesh that has begun is done, at the latest after `deadlineMs`; at once without one. */
  async finishRelease(deadlineMs: number): Promise<void> {
    await this.#kubernetes?.finishRelease(deadlineMs);
  }

  /** Brings the gauges up to date. */
  updateMetrics(): void {
    this.#metrics.update(this.#agent.pods(), this.#agent.unmeshed());
  }

  /** What an operator has to know although the proxy is ready; a line each. */
  warnings(): string[] {
    const pods = this.#agent
      .unmeshed()
      .map(({ pod, status }) => `pod ${pod.namespace}/${pod.name} is not in the mesh: ${status.message}`);
    return [...pods, ...(this.#kubernetes?.warnings() ?? [])];
  }

  route(): AdminRoute {
    return {
      method: 'GET',
      path: '/debug/pods',
      help: 'pods of this node, and how their capture stands',
      handle: () => {
        const pods = this.#agent.pods().map(({ pod, status }) => ({ ...pod, ...status }));
        return json({ pods: pods.toSorted((a, b) => (a.uid < b.uid ? -1 : 1)), warnings: this.warnings() });
      },
    };
  }

  #createAgent(): NodeAgent {
    const { clock, config, logger, peersKnowItLeft, random, workers } = this.#parts;
    const { captureDns, probeSources, source } = config;
    const kubernetes = this.#kubernetes;
    return new NodeAgent({
      source:
        source.kind === 'directory'
          ? new DirectoryPodSource(source.directory, clock, logger)
          : (kubernetes?.source ?? unreachable()),
      workers: this.#counted(workers),
      capture: {
        ports: CAPTURE_PORTS,
        probeSources: probeSources ?? (kubernetes === undefined ? DEFAULT_PROBE_SOURCES : []),
        captureDns,
      },
      ...(probeSources === undefined && kubernetes !== undefined
        ? { probeSources: () => kubernetes.probeSources() }
        : {}),
      ...(kubernetes === undefined ? {} : { isInCharge: () => kubernetes.isInCharge() }),
      rules: this.#rules,
      nft: createNft(clock),
      peersKnowItLeft,
      clock,
      logger,
      random,
    });
  }

  #counted(workers: PodWorkers): PodWorkers {
    const metrics = this.#metrics;
    return {
      enrol: async pod => {
        await workers.enrol(pod);
        metrics.podsStarted();
      },
      identityReady: (pod, deadlineMs) => workers.identityReady(pod, deadlineMs),
      update: pod => workers.update(pod),
      leave: async (pod, reason) => {
        metrics.podsStopped();
        await workers.leave(pod, reason);
      },
    };
  }
}

/** What is there in a cluster alone: the API server, the CNI plugin, a predecessor and a successor. */
class KubernetesNode {
  readonly source: KubernetesPodSource;
  readonly #parts: NodeAgentParts;
  readonly #config: PodSourceConfig & { kind: 'kubernetes' };
  readonly #agent: () => NodeAgent;
  readonly #admission: AdmissionServer | undefined;
  readonly #chain: ChainKeeper | undefined;
  readonly #uninstall: UninstallWatch | undefined;
  #released: Promise<void> | undefined;
  #probeFailure: string | undefined;

  constructor(
    parts: NodeAgentParts,
    config: PodSourceConfig & { kind: 'kubernetes' },
    rules: CaptureRules,
    metrics: NodeMetrics,
    agent: () => NodeAgent,
  ) {
    this.#parts = parts;
    this.#config = config;
    this.#agent = agent;
    const { clock, instance, logger, random, stateDir } = parts;
    const { access, cni } = config;
    const environment = { KUBERNETES_SERVICE_HOST: access.host, KUBERNETES_SERVICE_PORT: access.port };
    const connection = inClusterConnection(environment, clock, access.accountDir);
    const api = new KubeClient(connection, clock, `ztunnel/${VERSION}`);
    const common = { api, clock, random, logger };
    this.source = new KubernetesPodSource({
      ...common,
      nodeName: instance.nodeName,
      rules,
      findNetns: createNetnsFinder(config),
      snapshot: stateDir === undefined ? undefined : new PodSnapshot(join(stateDir, 'pods.json'), logger),
    });
    const admission = new PodAdmission({
      admit: (pod, signal) => this.source.admit(pod, signal),
      release: (uid, netns) => this.source.release(uid, netns),
      settled: uid => agent().settled(uid),
      isReleased: () => this.#released !== undefined,
      rules,
      clock,
      logger,
    });
    this.#admission =
      cni.socket === undefined
        ? undefined
        : new AdmissionServer({
            path: cni.socket,
            answer: request => admission.answer(request),
            onCharge: () => void agent().reconcile(),
            clock,
            logger,
          });
    this.#chain =
      cni.install === undefined || cni.socket === undefined
        ? undefined
        : new ChainKeeper({
            config: cni.install,
            socket: cni.socket,
            access,
            excludedNamespaces: [...rules.excludedNamespaces],
            clock,
            logger,
            onState: state => metrics.chain(state),
          });
    const { daemonSet } = config;
    this.#uninstall =
      daemonSet === undefined
        ? undefined
        : new UninstallWatch({
            ...common,
            namespace: instance.namespace,
            daemonSet,
            onUninstall: reason => this.#release(reason),
          });
  }

  isInCharge(): boolean {
    return this.#admission?.isInCharge() ?? true;
  }

  /** A node whose network cannot be looked at has no exempt probes: it is told, and the last known addresses stay. */
  probeSources(): readonly string[] {
    try {
      const found = nodeAddresses(join(this.#config.procDir, '1/ns/net'));
      this.#probeFailure = undefined;
      return found;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#probeFailure === undefined) {
        this.#parts.logger.error('cannot find the addresses of the node: probes of strict pods will fail', {
          error: reason,
        });
      }
      this.#probeFailure = reason;
      return [];
    }
  }

  /** In charge before the first pod is looked at: an older ztunnel leaves the rules alone from here on. */
  async beforePods(): Promise<void> {
    await this.#admission?.start();
    this.#uninstall?.start();
  }

  /** The plugin is called only when there is somebody who answers. */
  async afterPods(): Promise<void> {
    if (this.#released === undefined) await this.#chain?.start();
  }

  warnings(): string[] {
    const state = this.#chain?.state;
    return [
      ...(state === undefined || state.installed
        ? []
        : [`the CNI plugin is not in the chain: ${state.reason}`]),
      ...(this.#probeFailure === undefined ? [] : [`probes are not exempt: ${this.#probeFailure}`]),
    ];
  }

  async finishRelease(deadlineMs: number): Promise<void> {
    await this.#uninstall?.stop();
    if (this.#released === undefined) return;
    const late = new AbortController();
    const deadline = delay(this.#parts.clock, deadlineMs, late.signal).catch(() => undefined);
    await Promise.race([this.#released, deadline]);
    late.abort();
  }

  async stop(): Promise<void> {
    await this.#chain?.stop();
    await this.#admission?.stop(this.#released !== undefined);
  }

  #release(reason: string): void {
    const { logger } = this.#parts;
    logger.warn('the mesh is being removed from this node: every pod is released', { reason });
    this.#released = this.#releaseAll().then(
      () => logger.warn('every pod is released', {}),
      (error: unknown) =>
        logger.error('the mesh could not be removed from this node completely', {
          error: error instanceof Error ? error.message : String(error),
        }),
    );
  }

  /** New pods first: they would be captured behind our back. */
  async #releaseAll(): Promise<void> {
    await this.#chain?.uninstall();
    await this.#agent().release();
  }
}

function unreachable(): never {
  throw new Error('no source of pods');
}
