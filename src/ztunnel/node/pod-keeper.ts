import { type BackoffOptions, backoffDelay } from '#shared/lifecycle/backoff.ts';
import { type Clock, delay, type Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { CaptureOptions } from '../redirect/capture-rules.ts';
import type { Nft } from '../redirect/nft.ts';
import { Redirection, UnseenRulesError } from '../redirect/redirection.ts';
import type { MeshGate } from '../pod/mesh-gate.ts';
import { withDeadline } from './deadline.ts';
import { isListenedFor, removeRules } from './earlier-ztunnel.ts';
import type { EnrolledPod, LeaveReason, PodDnsServer, PodWorkers } from './enrolment.ts';
import type { LocalPod, PodSource, PodStatus } from './local-pod.ts';
import { netnsInode } from './kubernetes/pod-netns.ts';
import { closePodCapture, openPodCapture, type PodCapture } from './pod-capture.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { serveDns } from './serve-dns.ts';
import { Succession } from './succession.ts';
import { type CaptureDecision, shouldCapture } from './should-capture.ts';

const RETRY: BackoffOptions = { initialMs: 200, maxMs: 15_000, factor: 2, jitter: 0.2 };
/** Workers answer in milliseconds; one that does not in this time is stuck. */
const ENROL_DEADLINE_MS = 10_000;
const LEAVE_GRACE_MS = 1_000;
/** Other proxies have long heard of the change by then, or the controller is down. */
const PEERS_DEADLINE_MS = 10_000;
const PEERS_POLL_MS = 50;
/** The workers' own drain deadline is shorter: this one only guards against a worker that has died. */
const LEAVE_DEADLINE_MS = 60_000;

const NO_NETNS =
  'its network namespace is not found on this node; the proxy needs hostPID, SYS_PTRACE and the directory of network namespaces';

export interface PodKeeperOptions {
  readonly source: PodSource;
  readonly workers: PodWorkers;
  readonly mesh: MeshGate;
  readonly dns: PodDnsServer;
  readonly captureFor: (pod: LocalPod) => CaptureOptions;
  readonly rules: CaptureRules;
  readonly nft: Nft;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** False while a newer ztunnel holds the pods of this node: what is open here goes on, what pods become is its affair. */
  readonly isInCharge: () => boolean;
  /** Whether other proxies have heard that a pod is no longer to be dialled through the mesh. */
  readonly peersKnowItLeft: (pod: LocalPod) => boolean;
}

/**
 * Takes one pod from what is to what is wanted, one step at a time: its steps never overlap, and while one runs only
 * the newest wish is remembered. Everything that fails ends in status `failed` and a retry.
 */
export class PodKeeper {
  readonly succession: Succession;
  readonly #uid: string;
  readonly #options: PodKeeperOptions;
  readonly #logger: Logger;
  #wanted: LocalPod | undefined;
  #capture: PodCapture | undefined;
  #status: PodStatus = { state: 'not_captured', message: 'not looked at yet' };
  #failures = 0;
  #retry: Timer | undefined;
  #steps: Promise<void> = Promise.resolve();
  #queued = false;
  #closed = false;
  #lookedForLeftovers = false;
  #released = false;
  /** Path of the network namespace it was captured in last. */
  #capturedIn: string | undefined;

  constructor(uid: string, options: PodKeeperOptions) {
    this.#uid = uid;
    this.#options = options;
    this.#logger = options.logger;
    this.succession = new Succession(options);
  }

  get pod(): LocalPod | undefined {
    return this.#wanted;
  }

  get status(): PodStatus {
    return this.#status;
  }

  get enrolled(): EnrolledPod | undefined {
    return this.#capture?.enrolled;
  }

  /** True when nothing is wanted and nothing is left. */
  get idle(): boolean {
    return this.#wanted === undefined && this.#capture === undefined;
  }

  /** Resolves when the wish is reached or has failed once. Never rejects. */
  want(pod: LocalPod | undefined): Promise<void> {
    this.#wanted = pod;
    return this.#reconcileSoon();
  }

  /** Resolves when every step asked for so far has been done, or has failed. */
  settled(): Promise<void> {
    return this.#steps;
  }

  /** The mesh goes from this node: the pod leaves it, whatever its labels say. */
  release(): Promise<void> {
    this.#released = true;
    return this.#reconcileSoon();
  }

  /** Looks at the kernel and repairs what differs. Never rejects. */
  verify(): Promise<void> {
    if (this.#capture === undefined) return Promise.resolve();
    return this.#enqueue(() => this.#verify());
  }

  /** Closes the descriptors and leaves rules and status as they are, and DNS to who answers it. */
  close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    return this.#enqueue(() => {
      if (this.#capture !== undefined) closePodCapture(this.#capture);
      this.#capture = undefined;
    });
  }

  #reconcileSoon(): Promise<void> {
    if (this.#queued) return this.#steps;
    this.#queued = true;
    return this.#enqueue(() => {
      this.#queued = false;
      return this.#reconcile();
    });
  }

  #enqueue(step: () => Promise<void> | void): Promise<void> {
    this.#steps = this.#steps.then(step).catch((error: unknown) => this.#failed(error));
    return this.#steps;
  }

  async #reconcile(): Promise<void> {
    if (this.#closed) return;
    this.#retry?.cancel();
    const pod = this.#wanted;
    if (pod === undefined) {
      await this.#leave('deleted');
      return;
    }
    if (!this.#options.isInCharge()) return;
    const { wanted, capture, reason } = this.#decide(pod);
    if (!capture || pod.netnsPath === undefined) {
      await this.#leave(wanted ? 'deleted' : 'opted_out');
      if (wanted && !pod.starting) throw new Error(NO_NETNS);
      await this.#tryTo('remove the rules of an earlier ztunnel', this.#removeLeftovers(pod));
      await this.#report({ state: 'not_captured', message: reason });
      return;
    }
    await this.#enrol(pod, pod.netnsPath, reason);
  }

  #decide(pod: LocalPod): CaptureDecision {
    if (!this.#released) return shouldCapture(pod, this.#options.rules);
    return { wanted: false, capture: false, reason: 'the mesh is being removed from this node' };
  }

  async #enrol(pod: LocalPod, netnsPath: string, reason: string): Promise<void> {
    if (this.#capture !== undefined && netnsInode(netnsPath) !== this.#capture.netns.inode)
      await this.#leave('deleted');
    if (this.#capture === undefined) {
      await this.#capturePod(pod, netnsPath);
      // Another wish has come meanwhile.
      if (this.#capture === undefined) return;
    } else {
      await serveDns(this.#options, this.#capture, pod);
      if (this.#status.state === 'failed') await this.#capture.redirection.apply();
    }
    if (this.#capture !== undefined && this.#capture.enrolled.pod !== pod) {
      this.#capture = { ...this.#capture, enrolled: { ...this.#capture.enrolled, pod } };
      await this.#capture.redirection.reconfigure(this.#options.captureFor(pod));
      this.#options.workers.update(this.#capture.enrolled);
      this.#options.dns.update(pod);
    }
    this.#failures = 0;
    const isNew = this.#status.state !== 'enrolled';
    await this.#report({ state: 'enrolled', message: reason });
    // The rules are in force; that the kernel lists them as meant is looked at when nobody waits for it.
    if (isNew) void this.verify();
  }

  /** Sockets first, then workers behind them, then the rules: at no time is traffic redirected to nobody. */
  async #capturePod(pod: LocalPod, netnsPath: string): Promise<void> {
    const { captureFor, nft, workers, clock } = this.#options;
    const isServed = (): boolean => isListenedFor(netnsPath);
    if (!(await this.succession.mayListen(pod, isServed, () => this.#isWantedIn(netnsPath)))) return;
    const capture = openPodCapture(pod, netnsPath, captureFor(pod), nft);
    this.#capture = capture;
    try {
      const accepting = workers.enrol(capture.enrolled);
      // Meanwhile: a pod waits for the longer of both.
      const able = this.#untilAble(capture);
      able.catch(() => undefined);
      await withDeadline(clock, ENROL_DEADLINE_MS, 'workers that accept', accepting);
      await serveDns(this.#options, capture, pod);
      await able;
      await (this.#failures > 0 ? capture.redirection.apply() : capture.redirection.load());
    } catch (cause) {
      await this.#leave('failed');
      throw cause;
    }
    this.#capturedIn = netnsPath;
    this.#logger.info('pod enrolled', { ...this.#names(pod), answers: capture.redirection.answers });
  }

  /**
   * A running pod goes on as it is until the mesh is known and it has a certificate: captured before, its connections would
   * fail. One that is starting is captured in any case, and so is one whose traffic an earlier ztunnel's rules refuse already.
   */
  async #untilAble({ enrolled: { pod }, redirection }: PodCapture): Promise<void> {
    // Once looked at, a namespace has no rules but this ztunnel's.
    if (!pod.starting && !this.#lookedForLeftovers && (await redirection.present())) return;
    const able = this.succession.able(pod);
    await (pod.starting ? this.#tryTo('serve the pod yet', able) : able);
  }

  #isWantedIn(netnsPath: string): boolean {
    const pod = this.#closed || !this.#options.isInCharge() ? undefined : this.#wanted;
    return pod?.netnsPath === netnsPath && this.#decide(pod).capture;
  }

  /**
   * Rules first, so that new traffic goes direct while what is open is drained. Only a pod that opted out loses its rules:
   * one whose capture failed, perhaps under the rules of an earlier ztunnel, is refused rather than let out unprotected.
   */
  async #leave(reason: LeaveReason): Promise<void> {
    const capture = this.#capture;
    if (capture === undefined) return;
    const { workers, clock } = this.#options;
    try {
      if (reason === 'opted_out') {
        await this.#tryTo('stop the redirection', capture.redirection.drain());
        await this.#report({ state: 'not_captured', message: 'leaving the mesh' });
        // The sockets stay until other proxies have heard that this pod is to be dialled without HBONE.
        await this.#untilPeersKnow(capture.enrolled.pod);
        await delay(clock, LEAVE_GRACE_MS);
      }
      const left = withDeadline(
        clock,
        LEAVE_DEADLINE_MS,
        'workers to let go',
        workers.leave(capture.enrolled, reason),
      );
      await this.#tryTo('drain the pod', left);
      if (reason === 'opted_out') await this.#tryTo('remove the rules', capture.redirection.remove());
    } finally {
      this.#capture = undefined;
      await this.#tryTo('end its dns', this.#options.dns.leave(this.#uid));
      closePodCapture(capture);
    }
    this.#logger.info('pod left', { ...this.#names(capture.enrolled.pod), reason });
  }

  async #untilPeersKnow(pod: LocalPod): Promise<void> {
    const { clock, peersKnowItLeft } = this.#options;
    const deadline = clock.monotonic() + PEERS_DEADLINE_MS;
    while (!peersKnowItLeft(pod) && clock.monotonic() < deadline) await delay(clock, PEERS_POLL_MS);
  }

  /** The pod may have left the mesh while no ztunnel ran: its rules would refuse its traffic for ever. */
  async #removeLeftovers(pod: LocalPod): Promise<void> {
    if (this.#lookedForLeftovers || pod.hostNetwork || pod.netnsPath === undefined) return;
    this.#lookedForLeftovers = true;
    const { captureFor, nft } = this.#options;
    if (await removeRules(pod.netnsPath, captureFor(pod), nft))
      this.#logger.warn('rules of an earlier ztunnel removed', this.#names(pod));
  }

  async #verify(): Promise<void> {
    const capture = this.#capture;
    const pod = this.#wanted;
    if (capture === undefined || pod?.netnsPath === undefined || this.#closed) return;
    if (!this.#options.isInCharge()) return;
    if (netnsInode(pod.netnsPath) !== capture.netns.inode) {
      await this.#reconcile();
      return;
    }
    // The addresses of the node, which probes come from, may have changed.
    if (await capture.redirection.reconfigure(this.#options.captureFor(pod))) return;
    const repaired = await this.#repair(capture.redirection);
    for (const what of repaired) this.#logger.warn('capture repaired', { ...this.#names(pod), what });
  }

  /**
   * A node that is short of processor or processes cannot ask the kernel for a while. The pod is as captured as it was: said
   * to be outside the mesh, it would be dialled in plaintext, and its clients' identities would be gone.
   */
  async #repair(redirection: Redirection): Promise<readonly string[]> {
    try {
      return await redirection.repair();
    } catch (error) {
      if (!(error instanceof UnseenRulesError)) throw error;
      this.#logger.warn('capture not looked at, trying again', { uid: this.#uid, error: error.message });
      return [];
    }
  }

  /** The one it was captured in; one that was never there is a failure. */
  #lostNetns(): boolean {
    const path = this.#wanted?.netnsPath;
    return path !== undefined && path === this.#capturedIn && netnsInode(path) === undefined;
  }

  async #failed(error: unknown): Promise<void> {
    const message = errorMessage(error);
    const delayMs = backoffDelay(RETRY, this.#failures++, this.#options.random());
    const told = { uid: this.#uid, error: message, retryInMs: Math.round(delayMs) };
    // Its sandbox was taken down, of which the source of pods hears a moment later: the pod is gone, or gets another one.
    if (this.#lostNetns()) {
      this.#logger.info('the network namespace of a pod is gone', told);
      await this.#report({ state: 'not_captured', message: 'its network namespace is gone' });
    } else {
      this.#logger.error('capture of a pod failed', told);
      await this.#report({ state: 'failed', message });
    }
    if (this.#closed) return;
    this.#retry?.cancel();
    this.#retry = this.#options.clock.setTimer(delayMs, () => void this.#reconcileSoon());
  }

  async #tryTo(what: string, step: Promise<void>): Promise<void> {
    try {
      await step;
    } catch (error) {
      const reason = errorMessage(error);
      this.#logger.warn(`cannot ${what}`, { uid: this.#uid, error: reason });
    }
  }

  async #report(status: PodStatus): Promise<void> {
    if (this.#status.state === status.state && this.#status.message === status.message) return;
    this.#status = status;
    await this.#tryTo('write the status', this.#options.source.report(this.#uid, status));
  }

  #names(pod: LocalPod): { uid: string; pod: string; namespace: string } {
    return { uid: pod.uid, pod: pod.name, namespace: pod.namespace };
  }
}
