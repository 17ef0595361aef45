import { backoffDelay } from '../lifecycle/backoff.ts';

export interface ConnectPatienceOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * How long a connection to a controller may take. Short at first: a packet that was sent to a replica that is no more gets no
 * answer, and the kernel would send it there again for half a minute, where a new connection is sent to another replica. Longer
 * after each failure: a controller that is overloaded must not be asked for ever more handshakes.
 */
export class ConnectPatience {
  readonly #options: ConnectPatienceOptions;
  #failures = 0;

  constructor(options: ConnectPatienceOptions = { firstMs: 3_000, maxMs: 20_000 }) {
    this.#options = options;
  }

  get ms(): number {
    const { firstMs: initialMs, maxMs } = this.#options;
    return backoffDelay({ initialMs, maxMs, factor: 2, jitter: 0 }, this.#failures, 0);
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(): void {
    this.#failures++;
  }
}
