import { type KubeApi, MERGE_PATCH } from '#shared/kube/client.ts';
import { NODES, PODS } from '#shared/kube/core-resources.ts';
import { Informer } from '#shared/kube/informer.ts';
import { nameKey, objectNameOf, resourceVersionOf } from '#shared/kube/known-versions.ts';
import { objectPath } from '#shared/kube/resource.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type Term, TermTask } from '../kube/term-task.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import { desiredTaints, type NodeZtunnels, NOT_READY_TAINT, taintsOf, ztunnelPod } from './node-taint.ts';

export interface NodeTaintsOptions {
  readonly api: KubeApi;
  /** Of the mesh. */
  readonly namespace: string;
  /** Of the pods of ztunnel's DaemonSet. */
  readonly labelSelector: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

const CONCURRENCY = 4;
const WRITES_PER_SECOND = 50;
const BURST = 50;

interface KnownNode {
  readonly taints: readonly unknown[];
  readonly resourceVersion: string;
}

/**
 * Keeps pods from a node while its ztunnel is not ready: they would only wait there, or, without the CNI plugin, start outside
 * the mesh. The leader writes it, so that no node's proxy needs a right on nodes.
 */
export class NodeTaints extends TermTask {
  constructor(options: NodeTaintsOptions) {
    super('node taints', () => new Running(options));
  }
}

/** From the start of a leadership to its end. */
class Running implements Term {
  readonly #options: NodeTaintsOptions;
  readonly #queue: WorkQueue;
  readonly #informers: readonly Informer[];
  readonly #nodes = new Map<string, KnownNode>();
  /** By `<namespace>/<name>` of the pod. */
  readonly #ztunnels = new Map<string, NonNullable<ReturnType<typeof ztunnelPod>>>();

  constructor(options: NodeTaintsOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      ...options,
      process: node => this.#reconcile(node),
      onFailure: (node, error, waitMs) => {
        const reason = errorMessage(error);
        options.logger.warn('taint of a node not written, trying again', { node, reason, waitMs });
      },
      concurrency: CONCURRENCY,
      perSecond: WRITES_PER_SECOND,
      burst: BURST,
    });
    this.#queue.start();
    this.#informers = [this.#nodeInformer(), this.#podInformer()];
    for (const informer of this.#informers) informer.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#queue.stop(), ...this.#informers.map(informer => informer.stop())]);
  }

  #nodeInformer(): Informer {
    const { api, clock, logger, random } = this.#options;
    return new Informer({
      api,
      clock,
      logger,
      random,
      resource: NODES,
      onChange: ({ upserts, deletes }) => {
        for (const { name } of deletes) this.#nodes.delete(name);
        for (const node of upserts) {
          const { name } = objectNameOf(node);
          this.#nodes.set(name, { taints: taintsOf(node), resourceVersion: resourceVersionOf(node) });
          this.#add(name);
        }
      },
      onSynced: () => this.#addAll(),
    });
  }

  #podInformer(): Informer {
    return new Informer({
      ...this.#options,
      resource: PODS,
      onChange: ({ upserts, deletes }) => {
        for (const name of deletes) {
          const before = this.#ztunnels.get(nameKey(name));
          this.#ztunnels.delete(nameKey(name));
          if (before !== undefined) this.#add(before.node);
        }
        for (const object of upserts) {
          const pod = ztunnelPod(object);
          if (pod === undefined) continue;
          this.#ztunnels.set(nameKey(objectNameOf(object)), pod);
          this.#add(pod.node);
        }
      },
      onSynced: () => this.#addAll(),
    });
  }

  #addAll(): void {
    for (const node of this.#nodes.keys()) this.#add(node);
  }

  /** Before everything is known, a ztunnel that is only not listed yet would look like none. */
  #add(node: string): void {
    if (this.#informers.every(informer => informer.synced)) this.#queue.add(node);
  }

  #ztunnelsOf(node: string): NodeZtunnels {
    const counts = { ready: 0, starting: 0 };
    for (const pod of this.#ztunnels.values()) {
      if (pod.node === node && pod.counts !== undefined) counts[pod.counts]++;
    }
    return counts;
  }

  /** On the version that was looked at: whoever else changes the taints of the node is not overwritten. */
  async #reconcile(name: string): Promise<void> {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    const taints = desiredTaints(node.taints, this.#ztunnelsOf(name));
    if (taints === undefined) return;
    const { resourceVersion } = node;
    await this.#options.api.request({
      method: 'PATCH',
      contentType: MERGE_PATCH,
      path: objectPath(NODES, '', name),
      body: { metadata: { resourceVersion }, spec: { taints } },
    });
    const isClosed = taints.length > node.taints.length;
    const message = isClosed
      ? 'no ztunnel is ready on the node: tainted'
      : 'ztunnel is ready: the node is free';
    this.#options.logger.info(message, { node: name, taint: NOT_READY_TAINT });
  }
}
