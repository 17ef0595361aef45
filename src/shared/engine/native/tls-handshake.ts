import type { Timer } from '../../lifecycle/clock.ts';
import { EpollFlag } from '../../native/platform.ts';
import type { TlsSessionHandle } from '../../native/tls-session-handle.ts';
import { ChannelError, type SocketEndpoint } from '../channel.ts';
import type { SecureChannel, TlsOptions } from '../engine.ts';
import { gaveWay, handshakeTimedOut, tooManyHandshakes } from '../handshake-error.ts';
import type { HandshakeLimiter, LimitedHandshake } from '../handshake-limiter.ts';
import type { Pollable } from './event-loop.ts';
import type { HandshakeQueue, HandshakeStep } from './handshake-queue.ts';
import { HandshakeReview } from './handshake-review.ts';
import type { NativeChannel, ReleasedSocket } from './native-channel.ts';
import type { NativeThread } from './native-thread.ts';
import { NativeSecureChannel } from './secure-channel.ts';
import type { NativeTlsContext } from './tls-context.ts';

export interface HandshakeEnvironment {
  readonly thread: NativeThread;
  readonly limiters: Readonly<Record<'client' | 'server', HandshakeLimiter>>;
  readonly queue: HandshakeQueue;
}

/** The deadline covers the wait for a place as well as the handshake. */
export function handshake(
  role: 'client' | 'server',
  channel: NativeChannel,
  context: NativeTlsContext,
  options: TlsOptions,
  env: HandshakeEnvironment,
): Promise<SecureChannel> {
  return new Promise((resolve, reject) => {
    new Handshake(role, channel, context, options, env, resolve, reject).begin();
  });
}

/** One handshake, from the TCP channel it takes over to the secure channel, or the reason why there is none. */
class Handshake implements Pollable, HandshakeStep {
  readonly #role: 'client' | 'server';
  readonly #timeoutMs: number;
  readonly #review: HandshakeReview;
  readonly #env: HandshakeEnvironment;
  readonly #resolve: (channel: SecureChannel) => void;
  readonly #reject: (error: ChannelError) => void;
  readonly #peer: SocketEndpoint;
  readonly #socket: ReleasedSocket;
  readonly #place: LimitedHandshake;
  #session: TlsSessionHandle | undefined;
  #timer: Timer | undefined;
  #settled = false;
  #queued = false;
  #seenFlags = 0;
  #waitsSince: number | undefined;

  constructor(
    role: 'client' | 'server',
    channel: NativeChannel,
    context: NativeTlsContext,
    options: TlsOptions,
    env: HandshakeEnvironment,
    resolve: (channel: SecureChannel) => void,
    reject: (error: ChannelError) => void,
  ) {
    this.#role = role;
    this.#timeoutMs = options.timeoutMs;
    this.#env = env;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#peer = channel.remoteAddress;
    this.#review = new HandshakeReview({
      role,
      context,
      options,
      peer: this.#peer,
      clock: env.thread.clock,
    });
    this.#place = {
      peer: this.#peer.ip,
      start: this.#start,
      waitsSince: () => this.#waitsSince,
      evict: () => this.#fail(gaveWay(this.#peer)),
    };
    this.#socket = channel.release(env.thread, this);
    this.#seenFlags = this.#socket.flags;
  }

  begin(): void {
    const { limiters, thread } = this.#env;
    const timeoutMs = this.#timeoutMs;
    if (this.#socket.fd < 0) {
      this.#settled = true;
      const gone = new Error('the connection was closed before the handshake');
      this.#reject(this.#review.explained(gone));
      return;
    }
    this.#timer = thread.clock.setTimer(timeoutMs, () =>
      this.#fail(handshakeTimedOut(timeoutMs, this.#peer)),
    );
    if (!limiters[this.#role].enter(this.#place)) this.#fail(tooManyHandshakes(this.#peer));
  }

  // === for the loop ===

  onReady(flags: number): void {
    this.#seenFlags |= flags;
    // A peer that is gone gives its place back at once, also while it waits for one.
    const isGone = (flags & (EpollFlag.err | EpollFlag.hup)) !== 0;
    if (this.#session !== undefined) this.#enqueue();
    else if (isGone) this.#fail(this.#review.explained(new Error('the peer closed the connection')));
  }

  onAgain(): void {}

  // === for the queue ===

  step(): void {
    this.#queued = false;
    const session = this.#session;
    if (this.#settled || session === undefined) return;
    const outcome = session.handshake();
    if (outcome === 'want_read' || outcome === 'want_write') {
      this.#waitsSince = this.#env.thread.clock.monotonic();
      return;
    }
    if (outcome === undefined) this.#finish(session);
    else this.#fail(this.#review.failure(outcome, session));
  }

  readonly #start = (): void => {
    try {
      this.#session = this.#review.begin({ fd: this.#socket.fd });
      this.#enqueue();
    } catch (error) {
      this.#fail(this.#review.explained(error));
    }
  };

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#waitsSince = undefined;
    this.#env.queue.add(this);
  }

  #finish(session: TlsSessionHandle): void {
    try {
      const facts = this.#review.facts(session);
      const channel = new NativeSecureChannel(this.#env.thread, this.#socket, this.#peer, session, facts);
      channel.inherit(this.#seenFlags);
      this.#env.thread.loop.handOver(this.#socket.watch, channel);
      this.#settle(true);
      this.#resolve(channel);
    } catch (error) {
      this.#fail(this.#review.explained(error));
    }
  }

  #fail(error: ChannelError): void {
    if (this.#settled) return;
    this.#settle(false);
    this.#session?.free();
    this.#session = undefined;
    const { thread } = this.#env;
    thread.loop.unwatch(this.#socket.fd, this.#socket.watch);
    thread.close(this.#socket.fd);
    this.#reject(error);
  }

  #settle(ok: boolean): void {
    this.#settled = true;
    this.#timer?.cancel();
    this.#env.limiters[this.#role].leave(this.#place, ok);
  }
}
