const REMEMBERED = 1024;

/**
 * Ids of the streams we reset last. Frames for them may still be under way and are no fault of the peer (RFC 9113
 * §5.4.2). Only asked when a frame comes for a stream that is not open.
 */
export class RecentResets {
  /** Made with the first reset: most connections never see one. */
  #ids: Uint32Array | undefined;
  #next = 0;

  add(streamId: number): void {
    this.#ids ??= new Uint32Array(REMEMBERED);
    this.#ids[this.#next] = streamId;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  has(streamId: number): boolean {
    return this.#ids?.includes(streamId) === true;
  }
}
