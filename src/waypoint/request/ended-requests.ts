import { TurnList } from '#shared/lifecycle/turn-list.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';

/** What is written of a request that has ended. */
export interface EndedRequest {
  /** Its metrics and its line of the access log. */
  write(): void;
}

/**
 * Writes the records of requests behind what the turn of the loop sends: nobody who waits for an answer, or for a request, waits for
 * metrics and lines of the log as well.
 */
export class EndedRequests {
  readonly #defer: ((fn: () => void) => void) | undefined;
  readonly #logger: Logger;
  readonly #waiting = new TurnList<EndedRequest>();

  /** @param defer runs a function behind what the turn sends; undefined: every record is written at once */
  constructor(defer: ((fn: () => void) => void) | undefined, logger: Logger) {
    this.#defer = defer;
    this.#logger = logger;
  }

  add(request: EndedRequest): void {
    if (this.#waiting.add(request) > 1) return;
    if (this.#defer === undefined) this.flush();
    else this.#defer(this.#flush);
  }

  /** Writes what waits now. */
  flush(): void {
    this.#waiting.run(this.#write);
  }

  readonly #flush = (): void => this.flush();

  /** A fault costs one record: the connections are not at fault. */
  readonly #write = (request: EndedRequest): void => {
    try {
      request.write();
    } catch (error) {
      this.#logger.error('a request could not be recorded', { error: errorMessage(error) });
    }
  };
}
