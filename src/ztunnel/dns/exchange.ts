import type { SocketEndpoint } from '#shared/engine/channel.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Question } from './query.ts';
import { isAnswerTo } from './upstream-answer.ts';

/** How long a client waits at least before it asks somebody else; no answer afterwards is of use to it. */
const DEADLINE_MS = 5_000;
/** As long as resolvers wait for a name server before they ask the next. */
const NEXT_TRY_MS = 2_000;

export type Exchanged =
  /** With the identifier it was asked with. */
  | { readonly ok: true; readonly answer: Buffer; readonly server: SocketEndpoint }
  | { readonly ok: false; readonly reason: 'timeout' | 'unreachable'; readonly message: string };

export interface AskedQuery {
  readonly bytes: Buffer;
  readonly question: Question | undefined;
}

/** One try, at one server. */
export interface Try {
  close(): void;
}

export interface TryHandler {
  onMessage(bytes: Buffer): void;
  /** Nothing more will come of it. */
  onFailure(message: string): void;
}

export interface ExchangeOptions {
  /** Sends `bytes`. Throws when it cannot; what fails later is told to the handler. */
  readonly ask: (server: SocketEndpoint, bytes: Buffer, handler: TryHandler) => Try;
  readonly clock: Clock;
  /** A whole number below the bound, that nobody can guess. */
  readonly randomInt: (bound: number) => number;
  /** Aborted: nobody waits for the answer. */
  readonly signal: AbortSignal;
}

/**
 * Asks the servers in turn, the next one (or the same again) after two seconds or as soon as one fails, and takes the first
 * answer that is one: an earlier server may still be heard. Each try has an identifier and a socket of its own.
 */
export function exchange(
  query: AskedQuery,
  servers: readonly SocketEndpoint[],
  options: ExchangeOptions,
): Promise<Exchanged> {
  return new Promise(resolve => new Exchange(query, servers, options, resolve).start());
}

class Exchange {
  readonly #query: AskedQuery;
  readonly #servers: readonly SocketEndpoint[];
  readonly #options: ExchangeOptions;
  readonly #resolve: (result: Exchanged) => void;
  readonly #open = new Set<Try>();
  #tried = 0;
  #next: Timer | undefined;
  #deadline: Timer | undefined;
  #failure = 'no name server is known';
  #done = false;

  constructor(
    query: AskedQuery,
    servers: readonly SocketEndpoint[],
    options: ExchangeOptions,
    resolve: (result: Exchanged) => void,
  ) {
    this.#query = query;
    this.#servers = servers;
    this.#options = options;
    this.#resolve = resolve;
  }

  start(): void {
    this.#deadline = this.#options.clock.setTimer(DEADLINE_MS, () => {
      const message = `no answer within ${DEADLINE_MS} ms`;
      this.#end({ ok: false, reason: 'timeout', message });
    });
    this.#options.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#askNext();
  }

  #askNext(): void {
    this.#next?.cancel();
    const server = this.#servers[this.#tried++ % this.#servers.length];
    if (server === undefined) return this.#endUnreachable();
    this.#next = this.#options.clock.setTimer(NEXT_TRY_MS, () => this.#askNext());
    const id = this.#options.randomInt(0x1_0000);
    const bytes = Buffer.from(this.#query.bytes);
    bytes.writeUInt16BE(id, 0);
    let made: Try | undefined;
    const handler = {
      onMessage: (answer: Buffer) => this.#heard(answer, id, server),
      onFailure: (message: string) => {
        if (made === undefined || !this.#open.delete(made)) return;
        made.close();
        this.#failed(message);
      },
    };
    try {
      made = this.#options.ask(server, bytes, handler);
      this.#open.add(made);
    } catch (error) {
      this.#failed(errorMessage(error));
    }
  }

  #heard(answer: Buffer, id: number, server: SocketEndpoint): void {
    const { bytes, question } = this.#query;
    // Whoever it is from may still send the right one: a wrong one ends nothing.
    if (isAnswerTo(bytes, question, id, answer)) this.#end({ ok: true, answer, server });
  }

  /** Every server is asked once before it is given up; one that refuses is not asked again at once. */
  #failed(message: string): void {
    if (this.#done) return;
    this.#failure = message;
    if (this.#tried < this.#servers.length) this.#askNext();
    else if (this.#open.size === 0) this.#endUnreachable();
  }

  #endUnreachable(): void {
    this.#end({ ok: false, reason: 'unreachable', message: this.#failure });
  }

  #end(result: Exchanged): void {
    if (this.#done) return;
    this.#done = true;
    this.#next?.cancel();
    this.#deadline?.cancel();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    for (const one of this.#open) one.close();
    this.#open.clear();
    this.#resolve(result);
  }

  readonly #onAbort = (): void => {
    this.#failure = 'the pod left';
    this.#endUnreachable();
  };
}
