import type { Timer } from '../../lifecycle/clock.ts';
import { FEED_BYTES } from '../../native/record-feed.ts';
import { ByteQueue } from '../byte-queue.ts';
import { type ByteChannel, ChannelError, type ChannelHandler, type SocketEndpoint } from '../channel.ts';
import { closeGently } from '../close-gently.ts';
import type { SecureChannel, TlsOptions } from '../engine.ts';
import { gaveWay, handshakeTimedOut, tooManyHandshakes } from '../handshake-error.ts';
import type { LimitedHandshake } from '../handshake-limiter.ts';
import { ChannelRecords, memoryWire } from './channel-records.ts';
import type { HandshakeStep } from './handshake-queue.ts';
import { closedDuringHandshake, HandshakeReview } from './handshake-review.ts';
import type { NativeTlsContext } from './tls-context.ts';
import type { HandshakeEnvironment } from './tls-handshake.ts';
import { TlsOverChannel } from './tls-over-channel.ts';

/** As `handshake`, of a client whose records travel in a byte channel. */
export function handshakeOver(
  channel: ByteChannel,
  context: NativeTlsContext,
  options: TlsOptions,
  peer: SocketEndpoint,
  env: HandshakeEnvironment,
): Promise<SecureChannel> {
  return new Promise((resolve, reject) => {
    const { clock } = env.thread;
    const review = new HandshakeReview({ role: 'client', context, options, peer, clock });
    const settle = (outcome: SecureChannel | ChannelError): void =>
      outcome instanceof ChannelError ? reject(outcome) : resolve(outcome);
    new ChannelHandshake(channel, review, peer, env, settle).begin(options.timeoutMs);
  });
}

/** How the channel below ended; its last bytes may say more. */
type End = { readonly kind: 'ended' } | { readonly kind: 'closed'; readonly error: ChannelError | undefined };

/** One handshake, from the channel it takes over to the secure channel, or the reason why there is none. */
class ChannelHandshake implements ChannelHandler, HandshakeStep {
  readonly #below: ByteChannel;
  readonly #review: HandshakeReview;
  readonly #peer: SocketEndpoint;
  readonly #env: HandshakeEnvironment;
  readonly #settleWith: (outcome: SecureChannel | ChannelError) => void;
  /** What came and was not looked at: at most one delivery, since the channel is paused until then. */
  readonly #came = new ByteQueue();
  readonly #place: LimitedHandshake;
  #records: ChannelRecords | undefined;
  #timer: Timer | undefined;
  #end: End | undefined;
  #settled = false;
  #queued = false;
  #waitsSince: number | undefined;

  constructor(
    below: ByteChannel,
    review: HandshakeReview,
    peer: SocketEndpoint,
    env: HandshakeEnvironment,
    settleWith: (outcome: SecureChannel | ChannelError) => void,
  ) {
    this.#below = below;
    this.#review = review;
    this.#peer = peer;
    this.#env = env;
    this.#settleWith = settleWith;
    this.#place = {
      peer: peer.ip,
      start: this.#start,
      waitsSince: () => this.#waitsSince,
      evict: () => this.#abort(gaveWay(peer)),
    };
  }

  begin(timeoutMs: number): void {
    const { limiters, thread } = this.#env;
    this.#timer = thread.clock.setTimer(timeoutMs, () =>
      this.#abort(handshakeTimedOut(timeoutMs, this.#peer)),
    );
    this.#below.setHandler(this);
    if (!limiters.client.enter(this.#place)) this.#abort(tooManyHandshakes(this.#peer));
  }

  // === for the channel below ===

  onData(slice: Buffer): void {
    this.#came.append(slice);
    this.#below.pause();
    this.#enqueue();
  }

  onEnd(): void {
    this.#end = { kind: 'ended' };
    this.#enqueue();
  }

  onDrain(): void {
    if (this.#records !== undefined) this.#records.isBlocked = false;
  }

  onClose(error: ChannelError | undefined): void {
    this.#end = { kind: 'closed', error };
    // One that waits for its turn gives its place back at once.
    if (this.#records === undefined) this.#abort(this.#endedBelow(this.#end));
    else this.#enqueue();
  }

  // === for the queue ===

  step(): void {
    this.#queued = false;
    const records = this.#records;
    if (this.#settled || records === undefined) return;
    let outcome = records.handshake(undefined);
    while (outcome === 'want_read') {
      const slice = this.#came.take(FEED_BYTES);
      if (slice === undefined) break;
      outcome = records.handshake(slice);
      this.#came.release();
    }
    if (outcome === undefined) this.#finish(records);
    else if (outcome !== 'want_read') this.#fail(this.#review.failure(outcome, records.session));
    else if (this.#end !== undefined) this.#abort(this.#endedBelow(this.#end));
    else {
      this.#waitsSince = this.#env.thread.clock.monotonic();
      this.#below.resume();
    }
  }

  readonly #start = (): void => {
    const { thread } = this.#env;
    try {
      this.#records = new ChannelRecords(thread, this.#below, this.#review.begin(memoryWire(thread)));
      this.#enqueue();
    } catch (error) {
      this.#abort(this.#review.explained(error));
    }
  };

  #enqueue(): void {
    if (this.#queued || this.#settled || this.#records === undefined) return;
    this.#queued = true;
    this.#waitsSince = undefined;
    this.#env.queue.add(this);
  }

  #finish(records: ChannelRecords): void {
    try {
      const facts = this.#review.facts(records.session);
      const channel = new TlsOverChannel(this.#env.thread, this.#below, records, this.#peer, facts);
      this.#settle(true);
      channel.takeOver();
      this.#passOn(channel);
      this.#settleWith(channel);
    } catch (error) {
      this.#fail(this.#review.explained(error));
    }
  }

  /** What came behind the handshake. */
  #passOn(channel: TlsOverChannel): void {
    for (let slice = this.#came.take(); slice !== undefined; slice = this.#came.take()) {
      channel.onData(slice);
      this.#came.release();
    }
    if (this.#end !== undefined) channel.onEnd();
    if (this.#end?.kind === 'closed') channel.onClose(this.#end.error);
  }

  #endedBelow(end: End): ChannelError {
    const error = end.kind === 'closed' ? end.error : undefined;
    return this.#review.explained(error ?? closedDuringHandshake());
  }

  /** The peer is told why, by an alert. */
  #fail(error: ChannelError): void {
    if (this.#settled) return;
    this.#settle(false);
    this.#records?.free();
    if (this.#end?.kind !== 'closed') closeGently(this.#below, error, this.#env.thread.clock);
    this.#settleWith(error);
  }

  #abort(error: ChannelError): void {
    if (this.#settled) return;
    this.#settle(false);
    this.#records?.free();
    this.#below.abort(error);
    this.#settleWith(error);
  }

  #settle(ok: boolean): void {
    this.#settled = true;
    this.#timer?.cancel();
    this.#env.limiters.client.leave(this.#place, ok);
  }
}
