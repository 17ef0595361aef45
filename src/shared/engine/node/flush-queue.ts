/** What gathers output during a turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * Flushes every channel written to in one turn of the event loop after all ready sockets have been read (`setImmediate`
 * runs behind the poll phase), so that what many connections caused on one leaves in one system call and one TLS record.
 */
export class FlushQueue {
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  readonly #run = (): void => {
    const batch = this.#dirty;
    this.#dirty = this.#spare;
    for (const channel of batch) channel.flush();
    batch.length = 0;
    this.#spare = batch;
  };

  /** The caller must not be queued already. */
  add(channel: Flushable): void {
    if (this.#dirty.push(channel) === 1) setImmediate(this.#run);
  }
}
