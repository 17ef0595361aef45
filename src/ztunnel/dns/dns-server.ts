import { getServers } from 'node:dns';
import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { createNodeEngine } from '#shared/engine/node/node-engine.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import { canonicalIp, isLoopback, parseHostPort } from '#shared/workload/ip.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import type { DnsContext, DnsSettings } from './dns-context.ts';
import { createDnsMetrics } from './dns-metrics.ts';
import { PodDns } from './pod-dns.ts';
import { UnderWay } from './under-way.ts';

export interface DnsServerOptions {
  readonly view: MeshView;
  /** Whether `view` hears of what changes. */
  readonly isKnown: () => boolean;
  readonly isCurrent: () => boolean;
  readonly settings: DnsSettings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: MetricSet;
  readonly logger: Logger;
  /** Default: those of this process's own `resolv.conf`. */
  readonly ownServers?: readonly SocketEndpoint[];
}

/**
 * The DNS of the captured pods of a node. On the main thread: traffic threads shall not wait for it, nor it for them, and there
 * is one connection to watch for each query at most.
 */
export class DnsServer {
  readonly #context: DnsContext;
  readonly #pods = new Map<string, PodDns>();

  constructor(options: DnsServerOptions) {
    const { clock, logger, metrics, ownServers } = options;
    this.#context = {
      ...options,
      // The native one is for threads that do nothing else.
      engine: createNodeEngine({ clock }),
      metrics: createDnsMetrics(metrics),
      logger: logger.child('dns'),
      underWay: new UnderWay(),
      ownServers: ownServers ?? serversOf(getServers()),
    };
  }

  /** Whether it answers this pod. */
  serves(podUid: string): boolean {
    return this.#pods.has(podUid);
  }

  /** Resolves when queries that come to `port` of the pod's loopback are answered. Rejects when they cannot be. */
  async serve(info: LocalWorkloadInfo, netnsFd: number, port: number): Promise<void> {
    await this.leave(info.uid);
    const pod = new PodDns(this.#context, info, netnsFd, port);
    this.#pods.set(info.uid, pod);
    try {
      await pod.listen();
    } catch (error) {
      await this.leave(info.uid);
      throw error;
    }
  }

  update(info: LocalWorkloadInfo): void {
    const pod = this.#pods.get(info.uid);
    if (pod !== undefined) pod.info = info;
  }

  async leave(podUid: string): Promise<void> {
    const pod = this.#pods.get(podUid);
    this.#pods.delete(podUid);
    await pod?.close();
  }

  /** Before `stop`: a ztunnel that listens beside this one gets every new query from here on. */
  yield(): void {
    for (const pod of this.#pods.values()) pod.yield();
  }

  /** Resolves when no query is under way, after `deadlineMs` at the latest. */
  async whenIdle(deadlineMs: number): Promise<void> {
    const over = new AbortController();
    const deadline = delay(this.#context.clock, deadlineMs, over.signal).catch(() => undefined);
    await Promise.race([this.#context.underWay.whenIdle(), deadline]);
    over.abort();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#pods.keys()].map(uid => this.leave(uid)));
  }
}

/** As `resolv.conf` names them; those on the node's loopback are not to be reached from a pod. */
function serversOf(texts: readonly string[]): readonly SocketEndpoint[] {
  return texts.flatMap(text => {
    const plain = canonicalIp(text);
    const { host, port } = parseHostPort(text) ?? { host: text, port: 53 };
    const ip = plain ?? canonicalIp(host);
    return ip === undefined || isLoopback(ip) ? [] : [{ ip, port: plain === undefined ? port : 53 }];
  });
}
