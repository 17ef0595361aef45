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

  /** True also for what may have been forgotten: to tolerate a stray frame is better than to lose a connection. */
  has(streamId: number): boolean {
    const ids = this.#ids;
    if (ids === undefined) return false;
    if (ids.includes(streamId)) return true;
    // Unused places hold 0, so that nothing is below the smallest before the ring has filled.
    return streamId < Math.min(...ids);
  }
}
