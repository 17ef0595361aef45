import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type CaptureOptions, captureRuleset } from '../redirect/capture-rules.ts';
import type { Nft } from '../redirect/nft.ts';
import type { EnrolledPod, PodWorkers } from './enrolment.ts';
import type { LocalPod, PodSource, PodStatus } from './local-pod.ts';
import { PodKeeper } from './pod-keeper.ts';
import type { CaptureRules } from './should-capture.ts';

/** How often every pod's rules, sockets and namespace are compared with what they should be. */
const VERIFY_INTERVAL_MS = 10_000;

export interface NodeAgentOptions {
  readonly source: PodSource;
  readonly workers: PodWorkers;
  readonly capture: CaptureOptions;
  readonly rules: CaptureRules;
  readonly nft: Nft;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface NodePod {
  readonly pod: LocalPod;
  readonly status: PodStatus;
}

/**
 * Keeps the capture of this node's pods in step with what the pod source says. One keeper a pod, so that a pod that
 * hangs or fails does not hold up another.
 */
export class NodeAgent {
  readonly #options: NodeAgentOptions;
  readonly #keepers = new Map<string, PodKeeper>();
  readonly #logger: Logger;
  #verifyTimer: Timer | undefined;
  #firstSet: Promise<void> = Promise.resolve();
  #stopped = false;

  /** Throws when the capture options do not make a ruleset. */
  constructor(options: NodeAgentOptions) {
    this.#options = options;
    captureRuleset(options.capture);
    this.#logger = options.logger.child('node_agent');
  }

  /**
   * Resolves when the first known pods are enrolled, or have failed for the first time: the proxy is ready then.
   * Rejects when the source cannot be read.
   */
  async start(): Promise<void> {
    await this.#options.source.start(pods => this.#onPods(pods));
    await this.#firstSet;
    this.#scheduleVerify();
  }

  /**
   * Closes the sockets and leaves the rules: until the next ztunnel listens, captured pods are refused, not unmeshed.
   * Live connections are the workers' to drain beforehand.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#verifyTimer?.cancel();
    await this.#options.source.stop();
    await Promise.all([...this.#keepers.values()].map(keeper => keeper.close()));
  }

  /** Every pod of the node, captured or not, by uid. */
  pods(): NodePod[] {
    return [...this.#keepers.values()].flatMap(({ pod, status }) =>
      pod === undefined ? [] : [{ pod, status }],
    );
  }

  /** Those whose traffic goes through this proxy now. */
  enrolled(): EnrolledPod[] {
    return [...this.#keepers.values()].flatMap(({ enrolled }) => (enrolled === undefined ? [] : [enrolled]));
  }

  /** Verifies every pod now; `start` does it every 10 s. */
  async verify(): Promise<void> {
    // One after the other: a burst of nft processes would take the cores from the traffic.
    for (const keeper of this.#keepers.values()) await keeper.verify();
  }

  #onPods(pods: ReadonlyMap<string, LocalPod>): void {
    if (this.#stopped) return;
    const settled: Promise<void>[] = [];
    for (const [uid, pod] of pods) settled.push(this.#keeper(uid).want(pod));
    for (const [uid, keeper] of this.#keepers) if (!pods.has(uid)) settled.push(this.#forget(uid, keeper));
    this.#firstSet = Promise.all(settled).then(() => undefined);
  }

  #keeper(uid: string): PodKeeper {
    const known = this.#keepers.get(uid);
    if (known !== undefined) return known;
    const keeper = new PodKeeper(uid, { ...this.#options, logger: this.#logger });
    this.#keepers.set(uid, keeper);
    return keeper;
  }

  async #forget(uid: string, keeper: PodKeeper): Promise<void> {
    await keeper.want(undefined);
    // The pod may have come back while the old one was being taken down.
    if (keeper.idle && this.#keepers.get(uid) === keeper) this.#keepers.delete(uid);
  }

  #scheduleVerify(): void {
    if (this.#stopped) return;
    this.#verifyTimer = this.#options.clock.setTimer(VERIFY_INTERVAL_MS, () => {
      void this.verify().finally(() => this.#scheduleVerify());
    });
  }
}
