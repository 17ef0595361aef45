import type { KubeApi } from '#shared/kube/client.ts';
import { LEASES } from '#shared/kube/core-resources.ts';
import { isConflict, isNotFound } from '#shared/kube/kube-error.ts';
import { collectionPath, objectPath } from '#shared/kube/resource.ts';
import { type Clock, delay, type Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { Leadership, LeaderTask } from './leadership.ts';
import { type LeaseObservation, leaseObject, mayTake, observe, readLease } from './lease.ts';

export interface LeaderElectionOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the replicas. */
  readonly me: string;
}

const RETRY_MS = 1_000;
const RETRY_JITTER = 0.2;
/** A leader that could not renew for so long stops, well before another one may begin. */
const RENEW_DEADLINE_MS = 4_000;
const REQUEST_DEADLINE_MS = 2_000;

/**
 * Elects one of the replicas with a Lease. No replica believes another one's clock: a lease has run out when it has not
 * changed for its duration by our own. Whoever leads stops before its lease can have run out for others.
 */
export class LeaderElection implements Leadership {
  readonly #options: LeaderElectionOptions;
  readonly #tasks: LeaderTask[] = [];
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #observed: LeaseObservation | undefined;
  #deadline: Timer | undefined;
  #leading = false;
  #failure: string | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  /** Who has the lease, as far as this replica knows; empty when nobody does. */
  get leaseHolder(): string {
    return this.#observed?.lease.holder ?? '';
  }

  add(task: LeaderTask): void {
    this.#tasks.push(task);
    if (this.#leading) this.#startTask(task);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the leader's work and releases the lease, so that the next one need not wait for its end. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'));
    await this.#running;
    this.#deadline?.cancel();
    if (!this.#leading) return;
    await this.#stopLeading('handing over');
    await this.#write('').catch((error: unknown) => {
      this.#options.logger.warn('lease not released, the next leader waits for its end', {
        reason: errorMessage(error),
      });
    });
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#turn();
      const jitter = 1 + RETRY_JITTER * (2 * random() - 1);
      await delay(clock, RETRY_MS * jitter, signal).catch(() => undefined);
    }
  }

  async #turn(): Promise<void> {
    const { clock, logger } = this.#options;
    // From before the request: the answer may have taken a while.
    const askedMs = clock.monotonic();
    try {
      if (await this.#tryHold()) {
        this.#setDeadline(askedMs + RENEW_DEADLINE_MS - clock.monotonic());
        if (!this.#leading && !this.#stopping.signal.aborted) this.#startLeading();
      } else if (this.#leading) await this.#stopLeading(`${this.leaseHolder} holds the lease`);
      this.#failure = undefined;
    } catch (error) {
      const reason = errorMessage(error);
      if (this.#failure === undefined) logger.warn('lease not read or written, trying again', { reason });
      this.#failure = reason;
    }
  }

  /** Until the next renewal. */
  #setDeadline(ms: number): void {
    this.#deadline?.cancel();
    this.#deadline = this.#options.clock.setTimer(ms, () => {
      void this.#stopLeading('the lease could not be renewed');
    });
  }

  /** @returns whether this replica holds the lease now. Rejects when that could not be found out. */
  async #tryHold(): Promise<boolean> {
    const { api, clock, me, name, namespace } = this.#options;
    try {
      // While it leads nobody else writes: what was read last is good enough, and the version tells when it is not.
      if (!this.#leading || this.#observed === undefined) {
        const path = objectPath(LEASES, namespace, name);
        const lease = readLease(await api.request({ path, deadlineMs: REQUEST_DEADLINE_MS }));
        this.#observed = observe(this.#observed, lease, clock.monotonic());
      }
      if (!mayTake(this.#observed, me, clock.monotonic())) return false;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#observed = undefined;
    }
    try {
      await this.#write(me);
      return true;
    } catch (error) {
      this.#observed = undefined;
      // While it leads nobody else can have it yet: an answer of ours was lost, the next turn reads and goes on.
      if (!isConflict(error) || this.#leading) throw error;
      return false;
    }
  }

  async #write(holder: string): Promise<void> {
    const { api, clock, name, namespace } = this.#options;
    const before = this.#observed?.lease;
    const request = {
      body: leaseObject({ namespace, name }, holder, before, clock.now()),
      deadlineMs: REQUEST_DEADLINE_MS,
    };
    const written = readLease(
      before === undefined
        ? await api.request({ ...request, method: 'POST', path: collectionPath(LEASES, namespace) })
        : await api.request({ ...request, method: 'PUT', path: objectPath(LEASES, namespace, name) }),
    );
    this.#observed = observe(undefined, written, clock.monotonic());
  }

  #startLeading(): void {
    this.#leading = true;
    this.#options.logger.info('this replica leads');
    for (const task of this.#tasks) this.#startTask(task);
  }

  /** One task that fails is not all of them. */
  #startTask(task: LeaderTask): void {
    try {
      task.start();
    } catch (error) {
      this.#options.logger.error('task of the leader not started', {
        task: task.name,
        reason: errorMessage(error),
      });
    }
  }

  async #stopLeading(why: string): Promise<void> {
    if (!this.#leading) return;
    this.#leading = false;
    this.#options.logger.info('this replica leads no longer', { why });
    for (const task of this.#tasks.toReversed()) {
      try {
        await task.stop();
      } catch (error) {
        this.#options.logger.error('task of the leader not stopped', {
          task: task.name,
          reason: errorMessage(error),
        });
      }
    }
  }
}
