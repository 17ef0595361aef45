import type { JsonObject } from '../config/json.ts';
import type { KubeApi, KubeRequest, KubeWatchRequest } from '../kube/client.ts';
import type { WatchEvent } from '../kube/watch-decoder.ts';

/** An API server that answers as the test says, and remembers what it was asked. */
export class FakeKubeApi implements KubeApi {
  readonly namespace = 'default';
  readonly requests: KubeRequest[] = [];
  readonly watches: FakeWatch[] = [];
  /** May throw. */
  answer: (request: KubeRequest) => JsonObject;

  constructor(answer: (request: KubeRequest) => JsonObject) {
    this.answer = answer;
  }

  async request(request: KubeRequest): Promise<JsonObject> {
    this.requests.push(request);
    await Promise.resolve();
    return this.answer(request);
  }

  watch(request: KubeWatchRequest): Promise<void> {
    const watch = new FakeWatch(request);
    this.watches.push(watch);
    return watch.ended;
  }
}

/** The server's end of one watch. */
export class FakeWatch {
  readonly request: KubeWatchRequest;
  readonly ended: Promise<void>;
  readonly #settle: { readonly resolve: () => void; readonly reject: (error: Error) => void };

  constructor(request: KubeWatchRequest) {
    this.request = request;
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#settle = { resolve, reject };
    request.signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
  }

  /** What the events' receiver throws ends the watch, as in the client. */
  send(...events: readonly WatchEvent[]): void {
    try {
      this.request.onEvents(events);
    } catch (error) {
      this.#settle.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  open(): void {
    this.request.onOpen?.();
  }

  end(): void {
    this.#settle.resolve();
  }

  fail(error: Error): void {
    this.#settle.reject(error);
  }
}
