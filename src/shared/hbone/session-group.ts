import { ChannelError } from '../engine/channel.ts';
import { backoffDelay, type BackoffOptions } from '../lifecycle/backoff.ts';
import type { Timer } from '../lifecycle/clock.ts';
import { HboneSession, type SessionEvents, type SessionLimits } from './session.ts';
import type { HboneTarget } from './hbone-target.ts';
import type { HbonePoolOptions, HboneSessionInfo } from './pool-options.ts';
import type { RequestHolder, TunnelRequest } from './tunnel-request.ts';

export interface GroupEvents {
  /** Number of waiting requests changed by `by`. */
  onWaiting(by: number): void;
  /** Neither sessions nor waiters nor a backoff are left: the group can be forgotten. */
  onEmpty(group: SessionGroup): void;
}

/** Whoever would wait longer than this for a peer that has just failed is told so at once, and can go elsewhere. */
const MAX_BACKOFF_WAIT_MS = 200;

/** The sessions of one pool key, and who waits for one. */
export class SessionGroup implements SessionEvents, RequestHolder {
  readonly target: HboneTarget;
  readonly #options: HbonePoolOptions;
  readonly #limits: SessionLimits;
  readonly #backoff: BackoffOptions;
  readonly #events: GroupEvents;
  readonly #sessions = new Set<HboneSession>();
  readonly #waiting = new Set<TunnelRequest>();
  #connecting = 0;
  /** Between two sessions: a group that was forgotten meanwhile would get a session nobody can evict or close. */
  #returning = 0;
  #failures = 0;
  #backoffTimer: Timer | undefined;
  /** When the timer fires, by the monotonic clock; meaningless without one. */
  #backoffEndMs = 0;
  #lastFailure: ChannelError | undefined;
  /** Set for good by `close`: a tunnel that ends unanswered because of it must not be what dials again. */
  #closedBy: ChannelError | undefined;

  constructor(
    target: HboneTarget,
    options: HbonePoolOptions,
    limits: SessionLimits,
    backoff: BackoffOptions,
    events: GroupEvents,
  ) {
    this.target = target;
    this.#options = options;
    this.#limits = limits;
    this.#backoff = backoff;
    this.#events = events;
  }

  /** Opens the tunnel on a session with room, or lets the request wait for one. */
  place(request: TunnelRequest): void {
    if (this.#closedBy !== undefined) {
      request.reject(this.#closedBy);
      return;
    }
    for (const session of this.#sessions) if (session.open(request)) return;
    const failure = this.#failureInBackoff();
    if (failure !== undefined) {
      request.reject(failure);
      return;
    }
    this.#waiting.add(request);
    this.#events.onWaiting(1);
    request.holder = this;
    this.#connectIfNeeded();
  }

  /** A request that waits was given up. */
  onCancel(request: TunnelRequest): void {
    this.#stopWaiting(request);
    this.#forgetIfEmpty();
  }

  /** Ready sessions take no new streams; connecting ones are given up. Waiters are served anew, or end with `error`. */
  retire(reason: ChannelError, waitersEnd: boolean): void {
    if (waitersEnd) this.#rejectWaiting(reason);
    for (const session of Array.from(this.#sessions)) {
      // Given up by us: neither its waiters nor the backoff count it as a failure of the peer.
      if (session.isConnecting) this.#forget(session);
      session.retire(reason);
    }
    this.#connectIfNeeded();
    this.#forgetIfEmpty();
  }

  close(reason: ChannelError): void {
    this.#closedBy ??= reason;
    this.#rejectWaiting(reason);
    for (const session of Array.from(this.#sessions)) {
      if (session.isConnecting) this.#forget(session);
      session.close(reason);
    }
    this.#backoffTimer?.cancel();
    this.#backoffTimer = undefined;
    this.#forgetIfEmpty();
  }

  infos(): HboneSessionInfo[] {
    return [...this.#sessions].map(s => s.info).filter(info => info !== undefined);
  }

  // === events of sessions ===

  onCapacity(session: HboneSession): void {
    this.#settleConnecting(session);
    for (const request of this.#waiting) {
      if (!session.hasCapacity) break;
      this.#stopWaiting(request);
      if (!session.open(request)) this.place(request);
    }
    this.#connectIfNeeded();
    if (session.isIdle && this.#options.sessions?.mayIdle() === false)
      session.retire(new ChannelError('drain', 'idle, and there are many that are'));
  }

  onClose(session: HboneSession, error: ChannelError | undefined, wasReady: boolean): void {
    if (!this.#sessions.has(session)) return;
    this.#settleConnecting(session, false);
    this.#sessions.delete(session);
    if (!wasReady) this.#onFailure(error ?? new ChannelError('io', 'the session closed while connecting'));
    this.#connectIfNeeded();
    this.#forgetIfEmpty();
  }

  onUnsent(request: TunnelRequest, error: ChannelError): void {
    if (request.wasRetried) {
      request.reject(error);
      return;
    }
    request.wasRetried = true;
    // In a later turn: the session that ends its streams is not yet marked as closed.
    this.#returning++;
    queueMicrotask(() => {
      this.#returning--;
      if (!request.isSettled) this.place(request);
      this.#forgetIfEmpty();
    });
  }

  // === connecting ===

  /** One handshake serves as many waiters as a connection takes streams. */
  #connectIfNeeded(): void {
    if (this.#backoffTimer !== undefined) return;
    while (this.#waiting.size > this.#connecting * this.#limits.maxStreams) {
      this.#connecting++;
      this.#sessions.add(new HboneSession(this.target, this.#options, this.#limits, this));
    }
  }

  readonly #started = new WeakSet<HboneSession>();

  /** A session leaves `#connecting` once, by success or failure. */
  #settleConnecting(session: HboneSession, succeeded = true): void {
    if (this.#started.has(session)) return;
    this.#started.add(session);
    this.#connecting--;
    if (succeeded) this.#failures = 0;
  }

  #forget(session: HboneSession): void {
    this.#settleConnecting(session, false);
    this.#sessions.delete(session);
  }

  /** Everyone who waits shares the outcome; the next attempt waits, so that a dead peer is not hammered. */
  #onFailure(error: ChannelError): void {
    if (this.#connecting > 0) return;
    this.#rejectWaiting(error);
    const delayMs = backoffDelay(this.#backoff, this.#failures++, this.#options.random());
    const { clock } = this.#options;
    this.#lastFailure = error;
    this.#backoffEndMs = clock.monotonic() + delayMs;
    this.#backoffTimer?.cancel();
    this.#backoffTimer = clock.setTimer(delayMs, () => {
      this.#backoffTimer = undefined;
      this.#connectIfNeeded();
      this.#forgetIfEmpty();
    });
  }

  /** What the last attempt failed with, while the next one is not near. One that is under way is waited for. */
  #failureInBackoff(): ChannelError | undefined {
    if (this.#backoffTimer === undefined || this.#connecting > 0 || this.#lastFailure === undefined)
      return undefined;
    const leftMs = this.#backoffEndMs - this.#options.clock.monotonic();
    if (leftMs <= MAX_BACKOFF_WAIT_MS) return undefined;
    const { code, message } = this.#lastFailure;
    return new ChannelError(code, `${message} (tried a moment ago; next attempt in ${Math.ceil(leftMs)} ms)`);
  }

  // === waiting ===

  #stopWaiting(request: TunnelRequest): void {
    if (!this.#waiting.delete(request)) return;
    request.holder = undefined;
    this.#events.onWaiting(-1);
  }

  #rejectWaiting(error: ChannelError): void {
    for (const request of this.#waiting) {
      this.#stopWaiting(request);
      request.reject(error);
    }
  }

  #forgetIfEmpty(): void {
    if (this.#sessions.size > 0 || this.#waiting.size > 0 || this.#returning > 0) return;
    if (this.#backoffTimer !== undefined) return;
    this.#events.onEmpty(this);
  }
}
