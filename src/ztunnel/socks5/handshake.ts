import { ChannelError, type ByteChannel, type ChannelHandler } from '#shared/engine/channel.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { methodReply, requestReply } from './reply.ts';
import { MAX_SOCKS5_BYTES, parseGreeting, parseRequest, SOCKS5, type Socks5Step } from './request.ts';

export interface Socks5Target {
  /** Canonical IP text, or a host name in lower case. */
  readonly host: string;
  readonly port: number;
  /** What the client sent behind its request without waiting for the reply. */
  readonly early: Buffer;
}

/** A client that takes longer to say where it wants to go is cut: it holds a socket for nothing. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Reads a client's greeting and request. The channel is paused when the promise resolves, and the caller owes the
 * client a reply. Rejects with `ChannelError`; the client has been told, and the caller closes the channel.
 */
export function socks5Handshake(channel: ByteChannel, clock: Clock): Promise<Socks5Target> {
  return new Promise((resolve, reject) => channel.setHandler(new Handshake(channel, clock, resolve, reject)));
}

class Handshake implements ChannelHandler {
  readonly #channel: ByteChannel;
  readonly #resolve: (target: Socks5Target) => void;
  readonly #reject: (error: ChannelError) => void;
  readonly #timer: Timer;
  #held: Buffer = Buffer.alloc(0);
  #greeted = false;
  #done = false;

  constructor(
    channel: ByteChannel,
    clock: Clock,
    resolve: (target: Socks5Target) => void,
    reject: (error: ChannelError) => void,
  ) {
    this.#channel = channel;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = clock.setTimer(HANDSHAKE_TIMEOUT_MS, () => {
      this.#fail(new ChannelError('timeout', `SOCKS5: no request within ${HANDSHAKE_TIMEOUT_MS} ms`));
    });
  }

  onData(slice: Buffer): void {
    if (this.#done) return;
    this.#held = Buffer.concat([this.#held, slice]);
    this.#advance();
  }

  onEnd(): void {
    this.#fail(new ChannelError('protocol', 'SOCKS5: the client ended before its request was complete'));
  }

  onDrain(): void {}

  onClose(error: ChannelError | undefined): void {
    this.#fail(error ?? new ChannelError('reset', 'SOCKS5: the client went away'));
  }

  #advance(): void {
    const step = this.#greeted ? parseRequest(this.#held) : parseGreeting(this.#held);
    switch (step.kind) {
      case 'incomplete':
        // A longer message than any that is valid: the parsers have answered before this.
        if (this.#held.length > MAX_SOCKS5_BYTES)
          this.#fail(new ChannelError('protocol', 'SOCKS5: message too long'));
        return;
      case 'error':
        this.#refuse(step.reply, step.reason);
        return;
      case 'greeting':
        this.#greet(step);
        return;
      case 'request':
        this.#finish();
        this.#channel.pause();
        this.#resolve({ host: step.host, port: step.port, early: this.#held.subarray(step.length) });
        return;
    }
  }

  #greet(step: Extract<Socks5Step, { kind: 'greeting' }>): void {
    if (!step.methods.includes(SOCKS5.noAuthentication)) {
      this.#refuse(
        SOCKS5.noAcceptableMethods,
        'the client insists on authentication, which is not offered here',
      );
      return;
    }
    this.#greeted = true;
    this.#channel.write(methodReply(SOCKS5.noAuthentication));
    this.#held = this.#held.subarray(step.length);
    if (this.#held.length > 0) this.#advance();
  }

  #refuse(reply: number, reason: string): void {
    this.#channel.write(this.#greeted ? requestReply(reply) : methodReply(reply));
    this.#fail(new ChannelError('protocol', `SOCKS5: ${reason}`));
  }

  #fail(error: ChannelError): void {
    if (this.#done) return;
    this.#finish();
    this.#reject(error);
  }

  #finish(): void {
    this.#done = true;
    this.#timer.cancel();
  }
}
