import { type AdminRoute, json } from '#shared/observability/admin-server.ts';
import { ConnectionTables, type TablePlace } from '../node/connection-tables.ts';
import { DirectoryPodSource } from '../node/directory-pod-source.ts';
import type { PodWorkers } from '../node/enrolment.ts';
import { NodeAgent } from '../node/node-agent.ts';
import { createNodeMetrics, type NodeMetrics } from '../node/node-metrics.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { CAPTURE_PORTS, DEFAULT_PROBE_SOURCES } from '../redirect/capture-rules.ts';
import { createNft } from '../redirect/nft.ts';
import { KubernetesNode } from './kubernetes-node.ts';
import type { NodeAgentParts } from './node-agent-parts.ts';

/** Everything that captures the pods of this node. */
export class NodeCapture {
  readonly #parts: NodeAgentParts;
  readonly #metrics: NodeMetrics;
  readonly #rules: CaptureRules;
  readonly #agent: NodeAgent;
  readonly #kubernetes: KubernetesNode | undefined;
  readonly #tables: ConnectionTables;
  #isStopped = false;

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
    const { clock, logger, metrics } = parts;
    this.#tables = new ConnectionTables({ places: () => this.#tablePlaces(), clock, logger, metrics });
  }

  /** Resolves when every pod that was there at the start is captured, or has failed to be for the first time. */
  async start(): Promise<void> {
    await this.#kubernetes?.untilMayTakeCharge();
    if (this.#isStopped) return;
    await this.#kubernetes?.beforePods();
    await this.#agent.start();
    await this.#kubernetes?.afterPods();
    if (!this.#isStopped) this.#tables.start();
  }

  /** Rules stay, unless the mesh is being uninstalled: a captured pod waits for the next ztunnel. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#tables.stop();
    await this.#kubernetes?.stop();
    await this.#agent.handOver();
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
    return [
      ...pods,
      ...this.#parts.trafficWarnings(),
      ...this.#tables.warnings(),
      ...(this.#kubernetes?.warnings() ?? []),
    ];
  }

  /** Why pods are not served; a line each. */
  waiting(): string[] {
    return [...this.#parts.missing(), ...this.#agent.waiting()];
  }

  route(): AdminRoute {
    return {
      method: 'GET',
      path: '/debug/pods',
      help: 'pods of this node, and how their capture stands',
      handle: () => {
        const pods = this.#agent.pods().map(({ pod, status, dns }) => ({ ...pod, ...status, dns }));
        return json({
          pods: pods.toSorted((a, b) => (a.uid < b.uid ? -1 : 1)),
          warnings: this.warnings(),
          waiting: this.waiting(),
        });
      },
    };
  }

  #tablePlaces(): readonly TablePlace[] {
    const pods = this.#agent.enrolled().map(({ netnsFd, netnsInode, pod }): TablePlace => {
      return { key: String(netnsInode), kind: 'pod', name: `pod ${pod.namespace}/${pod.name}`, netnsFd };
    });
    const node = this.#kubernetes === undefined ? { netnsFd: undefined } : this.#kubernetes.nodeNetns();
    return node === undefined ? pods : [{ key: 'node', kind: 'node', name: 'node', ...node }, ...pods];
  }

  #createAgent(): NodeAgent {
    const { clock, config, dns, logger, mesh, peersKnowItLeft, random, workers } = this.#parts;
    const { captureDns, probeSources, source, sysctlDirectory } = config;
    const kubernetes = this.#kubernetes;
    return new NodeAgent({
      source:
        source.kind === 'directory'
          ? new DirectoryPodSource(source.directory, clock, logger)
          : (kubernetes?.source ?? unreachable()),
      workers: this.#counted(workers),
      mesh,
      dns,
      capture: {
        ports: CAPTURE_PORTS,
        probeSources: probeSources ?? (kubernetes === undefined ? DEFAULT_PROBE_SOURCES : []),
        captureDns,
        sysctlDirectory,
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
      hasIdentities: () => workers.hasIdentities(),
      update: pod => workers.update(pod),
      leave: async (pod, reason) => {
        metrics.podsStopped();
        await workers.leave(pod, reason);
      },
    };
  }
}

function unreachable(): never {
  throw new Error('no source of pods');
}
