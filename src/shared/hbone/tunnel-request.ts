import { ChannelError } from '../engine/channel.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import { formatHostPort } from '../workload/ip.ts';
import type { HboneTarget, HboneTunnel } from './hbone-target.ts';

/** One call of `HbonePool.connect`, from the call to its answer. */
export class TunnelRequest {
  readonly target: HboneTarget;
  readonly promise: Promise<HboneTunnel>;
  /** A stream that never reached the application may be sent once more, on another session. */
  wasRetried = false;
  /** Where it waits or runs; called once when it is given up before the answer. */
  onCancel: (() => void) | undefined;
  readonly #timer: Timer;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (tunnel: HboneTunnel) => void;
  readonly #reject: (error: ChannelError) => void;
  #isSettled = false;

  constructor(target: HboneTarget, clock: Clock, timeoutMs: number, signal: AbortSignal | undefined) {
    const { promise, resolve, reject } = Promise.withResolvers<HboneTunnel>();
    this.target = target;
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    this.#timer = clock.setTimer(timeoutMs, () => this.#cancel(timedOut(target, timeoutMs)));
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  resolve(tunnel: HboneTunnel): void {
    if (!this.#settle()) return;
    this.#resolve(tunnel);
  }

  reject(error: ChannelError): void {
    if (!this.#settle()) return;
    this.#reject(error);
  }

  readonly #onAbort = (): void => {
    this.#cancel(new ChannelError('aborted', `tunnel to ${this.#where}: given up by the caller`));
  };

  get #where(): string {
    return formatHostPort(this.target.remote.ip, this.target.remote.port);
  }

  #cancel(error: ChannelError): void {
    const { onCancel } = this;
    this.onCancel = undefined;
    this.reject(error);
    onCancel?.();
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#timer.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

function timedOut(target: HboneTarget, timeoutMs: number): ChannelError {
  const where = formatHostPort(target.remote.ip, target.remote.port);
  return new ChannelError(
    'connect_timeout',
    `HBONE tunnel to ${where} not open within ${timeoutMs} ms: is its ztunnel running, and does a NetworkPolicy block port ${target.remote.port}?`,
  );
}
