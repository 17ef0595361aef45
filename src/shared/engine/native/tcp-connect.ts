import type { CancelSignal } from '../../lifecycle/cancellation.ts';
import type { Timer } from '../../lifecycle/clock.ts';
import { errnoNow, Errno } from '../../native/errno.ts';
import { bindSocket, openTcpSocket } from '../../native/socket.ts';
import { familyOf } from '../../native/socket-address.ts';
import { pendingError, startConnect } from '../../native/stream-socket.ts';
import type { ChannelError } from '../channel.ts';
import { connectAborted, connectTimedOut } from '../connect-error.ts';
import type { ConnectTarget, TcpChannel } from '../engine.ts';
import { channelErrorFrom } from '../transport-error.ts';
import { beginCongestionControl, reviewCongestionControl } from './congestion-control.ts';
import type { Pollable, Watch } from './event-loop.ts';
import { NativeChannel } from './native-channel.ts';
import { errnoError } from './native-error.ts';
import type { NativeThread } from './native-thread.ts';
import { applySocketOptions } from './socket-options.ts';
import { TcpTransport } from './transport.ts';

/** A descriptor that came with the target belongs to the attempt from here on, whatever happens. */
export function connectTcp(
  target: ConnectTarget,
  thread: NativeThread,
  signal: CancelSignal | undefined,
): Promise<TcpChannel> {
  return new Promise((resolve, reject) => {
    new ConnectAttempt(target, thread, signal, resolve, reject).begin();
  });
}

class ConnectAttempt implements Pollable {
  readonly #target: ConnectTarget;
  readonly #thread: NativeThread;
  readonly #signal: CancelSignal | undefined;
  readonly #resolve: (channel: TcpChannel) => void;
  readonly #reject: (error: ChannelError) => void;
  #fd: number;
  #watch: Watch | undefined;
  #timer: Timer | undefined;

  constructor(
    target: ConnectTarget,
    thread: NativeThread,
    signal: CancelSignal | undefined,
    resolve: (channel: TcpChannel) => void,
    reject: (error: ChannelError) => void,
  ) {
    this.#target = target;
    this.#thread = thread;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#fd = target.fd ?? -1;
    if (this.#fd >= 0) thread.own(this.#fd);
  }

  begin(): void {
    if (this.#signal?.aborted === true) return this.#fail(connectAborted(this.#target));
    try {
      if (this.#fd < 0) this.#open();
      applySocketOptions(this.#fd, this.#target.keepalive);
      beginCongestionControl(this.#fd, this.#target.congestion);
      const result = startConnect(this.#fd, this.#target.remote);
      if (result < 0) {
        const errno = errnoNow();
        if (errno !== Errno.EINPROGRESS) return this.#fail(this.#errnoError(errno));
      }
      this.#watch = this.#thread.loop.watchStream(this.#fd, this);
    } catch (error) {
      return this.#fail(channelErrorFrom(error, 'connect to', this.#target.remote));
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = this.#thread.clock.setTimer(this.#target.timeoutMs, () =>
      this.#fail(connectTimedOut(this.#target)),
    );
  }

  /** Writable, or failed. */
  onReady(flags: number): void {
    const error = pendingError(this.#fd);
    if (error !== 0) return this.#fail(this.#errnoError(error));
    const watch = this.#watch;
    if (watch === undefined) return;
    const { remote, congestion } = this.#target;
    reviewCongestionControl(this.#fd, congestion);
    const channel = new NativeChannel(this.#thread, this.#fd, watch, remote, new TcpTransport(this.#fd));
    channel.inherit(flags);
    this.#thread.loop.handOver(watch, channel);
    this.#settle();
    this.#resolve(channel);
  }

  onAgain(): void {}

  readonly #onAbort = (): void => this.#fail(connectAborted(this.#target));

  #open(): void {
    const { local, remote } = this.#target;
    this.#fd = openTcpSocket(familyOf(remote.ip));
    this.#thread.own(this.#fd);
    if (local !== undefined) bindSocket(this.#fd, local);
  }

  #errnoError(errno: number): ChannelError {
    return errnoError(errno, 'connect', 'connect to', this.#target.remote);
  }

  #fail(error: ChannelError): void {
    this.#settle();
    if (this.#fd >= 0) {
      if (this.#watch !== undefined) this.#thread.loop.unwatch(this.#fd, this.#watch);
      this.#thread.close(this.#fd);
      this.#fd = -1;
    }
    this.#reject(error);
  }

  #settle(): void {
    this.#timer?.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
