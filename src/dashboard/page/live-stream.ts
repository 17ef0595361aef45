import { EventReader } from '../data/event-reader.ts';

/** How it stands with what the server tells. */
export type StreamState =
  | { readonly state: 'connecting'; readonly why: string }
  | { readonly state: 'live' }
  /** It needs another token than this page has. It may be the right one again when the dashboard is started anew. */
  | { readonly state: 'unknown'; readonly why: string }
  /** Over, and not tried again. */
  | { readonly state: 'over'; readonly why: string };

export interface StreamHandlers {
  readonly onData: (data: unknown) => void;
  readonly onState: (state: StreamState) => void;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5_000;
/** The server says something at least every ten seconds. */
const SILENCE_MS = 25_000;

export interface StreamOptions {
  readonly url: string;
  readonly token: string;
  /** It is not taken up again when it ends. */
  readonly isOnce: boolean;
}

interface Outcome {
  /** Undefined: no answer came. */
  readonly status: number | undefined;
  readonly why: string;
}

/** What the server tells, taken up again when it breaks off, also by a server that was started anew. Ends with `close`. */
export class LiveStream {
  readonly #options: StreamOptions;
  readonly #handlers: StreamHandlers;
  readonly #closed = new AbortController();
  #retryMs = FIRST_RETRY_MS;

  constructor(options: StreamOptions, handlers: StreamHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    // It does not reject: what goes wrong is a state.
    void this.#run();
  }

  close(): void {
    this.#closed.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    this.#handlers.onState({ state: 'connecting', why: '' });
    while (!signal.aborted) {
      const { status, why } = await this.#listen();
      if (signal.aborted) return;
      if (this.#options.isOnce || status === 400 || status === 404) {
        this.#handlers.onState({ state: 'over', why });
        return;
      }
      this.#handlers.onState({ state: status === 401 ? 'unknown' : 'connecting', why });
      await pause(this.#retryMs, signal);
      this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
    }
  }

  async #listen(): Promise<Outcome> {
    const attempt = new AbortController();
    const end = (): void => attempt.abort();
    this.#closed.signal.addEventListener('abort', end);
    let silence = setTimeout(end, SILENCE_MS);
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MS);
    };
    try {
      const headers = { authorization: `Bearer ${this.#options.token}` };
      const response = await fetch(this.#options.url, { headers, signal: attempt.signal, cache: 'no-store' });
      if (!response.ok || response.body === null) {
        return { status: response.status, why: (await response.text()).trim() };
      }
      await this.#read(response.body, heard);
      return { status: response.status, why: 'the dashboard has ended the connection' };
    } catch {
      return { status: undefined, why: 'the dashboard does not answer' };
    } finally {
      clearTimeout(silence);
      this.#closed.signal.removeEventListener('abort', end);
      attempt.abort();
    }
  }

  async #read(body: ReadableStream<Uint8Array<ArrayBuffer>>, heard: () => void): Promise<void> {
    const events = new EventReader();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#closed.signal.aborted) return;
      heard();
      for (const data of events.push(value)) {
        this.#retryMs = FIRST_RETRY_MS;
        this.#handlers.onState({ state: 'live' });
        const parsed: unknown = JSON.parse(data);
        this.#handlers.onData(parsed);
      }
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
