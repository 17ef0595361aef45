import type { ByteChannel } from '../engine/channel.ts';

/**
 * Whether a server connection reads: not while a sink asked for a pause, nor while bytes of a pipelined request are held.
 * So at most one read of bytes waits, however much a client sends ahead.
 */
export class ReadGate {
  readonly #channel: ByteChannel;
  #held: Buffer | undefined;
  #reading = true;
  #sinkBlocked = false;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
  }

  get holds(): boolean {
    return this.#held !== undefined;
  }

  /** Keeps `slice` from `pos` on, which its owner will use again, behind what is held already. */
  hold(slice: Buffer, pos: number): void {
    const rest = pos === 0 ? slice : slice.subarray(pos);
    if (this.#held !== undefined) this.#held = Buffer.concat([this.#held, rest]);
    else this.#held = this.#channel.readsAreOwned ? rest : Buffer.from(rest);
    this.update();
  }

  /** What was held; reading goes on with the next `update`. */
  take(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  blockSink(blocked: boolean): void {
    if (blocked === this.#sinkBlocked) return;
    this.#sinkBlocked = blocked;
    this.update();
  }

  update(): void {
    const reading = this.#held === undefined && !this.#sinkBlocked;
    if (reading === this.#reading) return;
    this.#reading = reading;
    if (reading) this.#channel.resume();
    else this.#channel.pause();
  }
}
