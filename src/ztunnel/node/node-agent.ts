import { type Clock, delay, type Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type CaptureOptions, captureRuleset } from '../redirect/capture-rules.ts';
import type { Nft } from '../redirect/nft.ts';
import type { EnrolledPod, PodDnsServer, PodWorkers } from './enrolment.ts';
import type { LocalPod, PodSource, PodStatus } from './local-pod.ts';
import { yieldSockets } from './pod-capture.ts';
import { PodKeeper } from './pod-keeper.ts';
import type { MeshGate } from '../pod/mesh-gate.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { shouldCapture } from './should-capture.ts';

/** How often every pod's rules, sockets and namespace are compared with what they should be. */
const VERIFY_INTERVAL_MS = 10_000;
/** Connections whose handshake is under way when the next ztunnel gets the new ones: a round trip, and workers that accept. */
const HAND_OVER_MS = 250;

export interface NodeAgentOptions {
  readonly source: PodSource;
  readonly workers: PodWorkers;
  readonly mesh: MeshGate;
  readonly dns: PodDnsServer;
  readonly capture: CaptureOptions;
  readonly rules: CaptureRules;
  readonly nft: Nft;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** Where probes come from as of now; by default what `capture` says. */
  readonly probeSources?: () => readonly string[];
  /** As in `PodKeeperOptions`; by default this agent is the only one of its node. */
  readonly isInCharge?: () => boolean;
  /** As in `PodKeeperOptions`; by default they always know. */
  readonly peersKnowItLeft?: (pod: LocalPod) => boolean;
}

export interface NodePod {
  readonly pod: LocalPod;
  readonly status: PodStatus;
  /** Its DNS goes to this proxy. */
  readonly dns: boolean;
}

export interface SettledPod {
  readonly status: PodStatus;
  readonly enrolled: EnrolledPod | undefined;
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
  #released = false;

  /** Throws when the capture options do not make a ruleset. */
  constructor(options: NodeAgentOptions) {
    this.#options = options;
    captureRuleset(options.capture, { answers: 'both', zones: true });
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
   * Before `stop`: a ztunnel that listens beside this one gets every new connection from here on. Resolves when what has
   * begun with this one is accepted, since the kernel resets what a closing socket still holds.
   */
  async handOver(): Promise<void> {
    const enrolled = this.enrolled();
    for (const { sockets } of enrolled) yieldSockets(sockets);
    this.#options.dns.yield();
    if (enrolled.length > 0) await delay(this.#options.clock, HAND_OVER_MS);
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
      pod === undefined
        ? []
        : [{ pod, status, dns: status.state === 'enrolled' && this.#captureFor(pod).captureDns }],
    );
  }

  /** Those whose traffic goes through this proxy now. */
  enrolled(): EnrolledPod[] {
    return [...this.#keepers.values()].flatMap(({ enrolled }) => (enrolled === undefined ? [] : [enrolled]));
  }

  /** Labelled for the mesh, running, and not in it: what an operator has to know of. */
  unmeshed(): NodePod[] {
    const { rules } = this.#options;
    return this.pods().filter(
      ({ pod, status }) =>
        !pod.starting &&
        shouldCapture(pod, rules).wanted &&
        status.state !== 'enrolled' &&
        this.#keepers.get(pod.uid)?.succession.missing === undefined,
    );
  }

  /** Which pods an older ztunnel serves alone, since this one cannot yet; a line each. */
  waiting(): string[] {
    return [...this.#keepers.values()].flatMap(({ pod, succession: { missing } }) =>
      missing === undefined || pod === undefined
        ? []
        : [`pod ${pod.namespace}/${pod.name} stays with the older ztunnel of this node: ${missing}`],
    );
  }

  /** Resolves when what is known of the pod has been acted on, with how it stands then; undefined: no such pod. */
  async settled(uid: string): Promise<SettledPod | undefined> {
    const keeper = this.#keepers.get(uid);
    await keeper?.settled();
    return keeper?.pod === undefined ? undefined : { status: keeper.status, enrolled: keeper.enrolled };
  }

  /** Takes every pod out of the mesh, for good: its rules go. Resolves when all have left. */
  async release(): Promise<void> {
    this.#released = true;
    await Promise.all([...this.#keepers.values()].map(keeper => keeper.release()));
  }

  /** Looks at every pod again, after this agent has come to be in charge. */
  async reconcile(): Promise<void> {
    await Promise.all([...this.#keepers.values()].map(keeper => keeper.want(keeper.pod)));
    await this.verify();
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
    const { isInCharge = () => true, peersKnowItLeft = () => true } = this.#options;
    const keeper = new PodKeeper(uid, {
      ...this.#options,
      isInCharge,
      peersKnowItLeft,
      captureFor: pod => this.#captureFor(pod),
      logger: this.#logger,
    });
    if (this.#released) void keeper.release();
    this.#keepers.set(uid, keeper);
    return keeper;
  }

  #captureFor({ probePorts, bypassInbound, dnsCapture }: LocalPod): CaptureOptions {
    const { capture, probeSources } = this.#options;
    return {
      ...capture,
      probeSources: probeSources?.() ?? capture.probeSources,
      probePorts,
      bypassInbound,
      captureDns: dnsCapture ?? capture.captureDns,
    };
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
