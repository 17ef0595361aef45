import { ChannelError } from '../engine/channel.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import { formatHostPort } from '../workload/ip.ts';
import type { HboneTarget, HboneTunnel } from './hbone-target.ts';

/** Where a request waits or runs. */
export interface RequestHolder {
  /** It was given up before its answer. Once, and last. */
  onCancel(request: TunnelRequest): void;
}

/** One call of `HbonePool.connect`, from the call to its answer. */
export class TunnelRequest {
  readonly target: HboneTarget;
  readonly promise: Promise<HboneTunnel>;
  /** A stream that never reached the application may be sent once more, on another session. */
  wasRetried = false;
  /** Told when it is given up. */
  holder: RequestHolder | undefined;
  readonly #timer: Timer;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
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
    if (signal === undefined) return;
    this.#onAbort = () => this.#cancel(givenUp(target));
    signal.addEventListener('abort', this.#onAbort, { once: true });
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

  #cancel(error: ChannelError): void {
    const { holder } = this;
    this.holder = undefined;
    this.reject(error);
    holder?.onCancel(this);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#timer.cancel();
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

function givenUp({ remote }: HboneTarget): ChannelError {
  const where = formatHostPort(remote.ip, remote.port);
  return new ChannelError('aborted', `tunnel to ${where}: given up by the caller`);
}

function timedOut(target: HboneTarget, timeoutMs: number): ChannelError {
  const where = formatHostPort(target.remote.ip, target.remote.port);
  return new ChannelError(
    'connect_timeout',
    `HBONE tunnel to ${where} not open within ${timeoutMs} ms: is its ztunnel running, and does a NetworkPolicy block port ${target.remote.port}?`,
  );
}
