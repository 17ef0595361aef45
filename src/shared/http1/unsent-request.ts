import type { ByteChannel } from '../engine/channel.ts';

/**
 * Whether any of a request has left its connection's channel, as far as that is certain: nothing has while the channel holds
 * at least what was put into it. One a connection, begun anew for each request.
 */
export class UnsentRequest {
  readonly #channel: Pick<ByteChannel, 'bufferedBytes'>;
  /** What the channel holds while nothing has left; 0 once something has. */
  #heldBytes = 0;

  constructor(channel: Pick<ByteChannel, 'bufferedBytes'>) {
    this.#channel = channel;
  }

  /** `bytes` are about to be written, the first of a request. */
  begin(bytes: number): void {
    this.#heldBytes = this.#channel.bufferedBytes + bytes;
  }

  /** So many more are about to be written, perhaps with framing. */
  add(bytes: number): void {
    if (this.isWhole) this.#heldBytes += bytes;
  }

  get isWhole(): boolean {
    if (this.#heldBytes === 0) return false;
    const held = this.#channel.bufferedBytes;
    this.#heldBytes = held >= this.#heldBytes ? held : 0;
    return this.#heldBytes > 0;
  }
}
