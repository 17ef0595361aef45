import { ChannelError } from '../engine/channel.ts';
import type { BackoffOptions } from '../lifecycle/backoff.ts';
import type { HboneTarget, HboneTunnel } from './hbone-target.ts';
import type { HbonePoolOptions, HboneSessionInfo } from './pool-options.ts';
import { GroupTable } from './group-table.ts';
import { SessionGroup } from './session-group.ts';
import type { SessionLimits } from './session.ts';
import { TunnelRequest } from './tunnel-request.ts';

export { ConnectRefusedError, type HboneTarget, type HboneTunnel } from './hbone-target.ts';
export type { HbonePoolOptions, HboneSessionInfo } from './pool-options.ts';

const DEFAULT_BACKOFF: BackoffOptions = { initialMs: 100, maxMs: 5_000, factor: 2, jitter: 0.2 };
const DEFAULT_MAX_WAITERS = 10_000;

/**
 * HBONE client sessions of one local workload (its sockets are made in its own network namespace, so pods do not share
 * a pool). Grouped by source identity, destination identities, destination address, destination workload uid.
 */
export class HbonePool {
  readonly #options: HbonePoolOptions;
  readonly #limits: SessionLimits;
  readonly #groups = new GroupTable<SessionGroup>();
  #waiting = 0;
  #refusal: ChannelError | undefined;
  #onDrained: (() => void)[] = [];

  constructor(options: HbonePoolOptions) {
    this.#options = options;
    this.#limits = {
      maxStreams: options.maxStreamsPerConnection ?? 100,
      idleTimeoutMs: options.idleTimeoutMs ?? 300_000,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    };
  }

  /**
   * Opens a tunnel, over a ready session where there is one. Resolves when the peer has answered 200.
   * A peer that could not be reached just now is not dialled again before a backoff; who would wait for that for more than
   * a moment gets the last error instead.
   * Rejects with `ConnectRefusedError` (the peer's answer) or another `ChannelError` (`connect_refused`,
   * `connect_timeout`, `unreachable`, `tls_handshake`, `timeout`, `reset`, `resource_exhausted`, `aborted`, `drain`).
   */
  connect(target: HboneTarget, signal?: AbortSignal): Promise<HboneTunnel> {
    const refusal = this.#refusal ?? this.#refusalOf(target, signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    const request = new TunnelRequest(target, this.#options.clock, this.#limits.connectTimeoutMs, signal);
    this.#group(target).place(request);
    return request.promise;
  }

  /** The workload is gone (pod deleted, IP recycled): no session to it is used again; open tunnels end in their time. */
  evictWorkload(workloadUid: string): void {
    const reason = new ChannelError('unreachable', `workload ${workloadUid} is gone from the mesh`);
    for (const group of this.#groups.all())
      if (group.target.workloadUid === workloadUid) group.retire(reason, true);
  }

  /** A source identity's certificate changed: new tunnels get a new handshake, old sessions drain. */
  evictIdentity(sourceIdentity: string): void {
    const reason = new ChannelError('drain', `the certificate of ${sourceIdentity} was renewed`);
    for (const group of this.#groups.all())
      if (group.target.sourceIdentity === sourceIdentity) group.retire(reason, false);
  }

  sessions(): readonly HboneSessionInfo[] {
    return this.#groups.all().flatMap(group => group.infos());
  }

  /** Requests that wait for a session now. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Refuses new tunnels and lets open ones end; resolves when the last session is closed. `close` ends the wait. */
  drain(): Promise<void> {
    this.#refusal ??= new ChannelError('drain', 'the proxy is shutting down');
    for (const group of this.#groups.all()) group.retire(this.#refusal, true);
    if (this.#groups.isEmpty) return Promise.resolve();
    return new Promise(resolve => this.#onDrained.push(resolve));
  }

  /** Aborts every session and waiter at once. Idempotent. */
  close(reason: ChannelError): void {
    this.#refusal ??= reason;
    for (const group of this.#groups.all()) group.close(reason);
  }

  #refusalOf(target: HboneTarget, signal: AbortSignal | undefined): ChannelError | undefined {
    if (signal?.aborted === true) return new ChannelError('aborted', 'given up by the caller');
    // Nobody could be verified: whoever answers would be believed.
    if (target.destinationIdentities.length === 0)
      return new ChannelError('tls_handshake', `no identity is expected of ${target.remote.ip}: not dialled`);
    const maxWaiters = this.#options.maxWaiters ?? DEFAULT_MAX_WAITERS;
    if (this.#waiting < maxWaiters) return undefined;
    return new ChannelError('resource_exhausted', `${this.#waiting} tunnels wait for a session already`);
  }

  #group(target: HboneTarget): SessionGroup {
    return this.#groups.find(target) ?? this.#newGroup(target);
  }

  #newGroup(target: HboneTarget): SessionGroup {
    const group = new SessionGroup(
      target,
      this.#options,
      this.#limits,
      this.#options.backoff ?? DEFAULT_BACKOFF,
      {
        onWaiting: by => void (this.#waiting += by),
        onEmpty: gone => this.#forget(gone),
      },
    );
    this.#groups.add(group);
    return group;
  }

  #forget(group: SessionGroup): void {
    this.#groups.delete(group);
    if (!this.#groups.isEmpty) return;
    const resolvers = this.#onDrained;
    this.#onDrained = [];
    for (const resolve of resolvers) resolve();
  }
}
