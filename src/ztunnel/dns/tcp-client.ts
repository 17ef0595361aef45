import { type ByteChannel, ChannelError, type ChannelHandler } from '#shared/engine/channel.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { framed, MessageReader } from './message-reader.ts';

/** Of a connection without a query under way. RFC 7766 §6.2.3 asks for seconds. */
const IDLE_MS = 10_000;
/** Queries under way on one connection; what comes beyond waits, most of it in the kernel. */
const MAX_PIPELINED = 32;

export interface TcpClientOptions {
  readonly clock: Clock;
  /** Resolves when the query has had its answer, or gets none. */
  readonly onQuery: (bytes: Buffer, reply: (answer: Buffer) => void) => Promise<void>;
  readonly onClose: () => void;
}

/** A client that asks over TCP: several queries, answered as soon as each can be. RFC 7766 */
export class TcpClient implements ChannelHandler {
  readonly #channel: ByteChannel;
  readonly #options: TcpClientOptions;
  readonly #reader = new MessageReader();
  /** Of the last slice: nothing is read while there are any. */
  #waiting: Buffer[] = [];
  #underWay = 0;
  #waitsForDrain = false;
  #hasEnded = false;
  #closed = false;
  #idle: Timer | undefined;

  constructor(channel: ByteChannel, options: TcpClientOptions) {
    this.#channel = channel;
    this.#options = options;
    channel.setHandler(this);
    this.#settle();
  }

  onData(slice: Buffer): void {
    this.#waiting.push(...this.#reader.push(slice));
    this.#settle();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.#settle();
  }

  onDrain(): void {
    this.#waitsForDrain = false;
    this.#settle();
  }

  onClose(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#idle?.cancel();
    this.#options.onClose();
  }

  abort(reason: ChannelError): void {
    this.#channel.abort(reason);
  }

  #ask(message: Buffer | undefined): void {
    if (message === undefined) return;
    this.#underWay++;
    const reply = (answer: Buffer): void => {
      if (!this.#channel.write(framed(answer))) this.#waitsForDrain = true;
    };
    void this.#options.onQuery(message, reply).then(() => {
      this.#underWay--;
      this.#settle();
    });
  }

  /** Reads on or not, and ends a connection that is of no more use. */
  #settle(): void {
    // The answer to what it has asked may come after its end.
    if (this.#closed) return;
    this.#idle?.cancel();
    while (this.#underWay < MAX_PIPELINED && this.#waiting.length > 0) this.#ask(this.#waiting.shift());
    if (this.#underWay === 0) {
      if (this.#hasEnded) this.#channel.end();
      this.#idle = this.#options.clock.setTimer(IDLE_MS, () =>
        this.abort(new ChannelError('timeout', `no query within ${IDLE_MS} ms`)),
      );
    }
    // Last: what is there already may be heard within the call.
    if (this.#underWay >= MAX_PIPELINED || this.#waitsForDrain) this.#channel.pause();
    else this.#channel.resume();
  }
}
