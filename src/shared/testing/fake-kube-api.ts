import { KubeApiError } from '../kube/kube-api-error.ts';
import type { KubeApi, KubeRequest } from '../kube/kube-client.ts';

/** A watch that is open: what a test says on it arrives, until the test or the watcher ends it. */
export interface OpenWatch {
  readonly path: string;
  readonly query: URLSearchParams;
  say(type: string, object: object): void;
  sayLine(line: string): void;
  end(): void;
  fail(error: Error): void;
}

/**
 * An API server of a test's own: it answers what the test prepared, and remembers what it was asked. `respond` decides;
 * without it every GET is an empty list and every other request is accepted.
 */
export class FakeKubeApi implements KubeApi {
  readonly requests: KubeRequest[] = [];
  readonly watches: OpenWatch[] = [];
  respond: (request: KubeRequest) => unknown = request => (request.method === 'GET' ? list([], '1') : {});
  #wake: (() => void)[] = [];

  async send(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    this.#changed();
    return this.respond(request);
  }

  watch(path: string, onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.watches.splice(this.watches.indexOf(open), 1);
        settle();
      };
      const sayLine = (line: string): void => {
        try {
          onLine(line);
        } catch (error) {
          end(() => reject(error instanceof Error ? error : new Error(String(error))));
        }
      };
      const open: OpenWatch = {
        path,
        query: new URLSearchParams(path.slice(path.indexOf('?') + 1)),
        say: (type, object) => sayLine(JSON.stringify({ type, object })),
        sayLine,
        end: () => end(resolve),
        fail: error => end(() => reject(error)),
      };
      this.watches.push(open);
      signal.addEventListener('abort', () => end(() => reject(new Error('aborted'))), { once: true });
      this.#changed();
    });
  }

  /** The open watch of a collection; the test's time limit is the deadline. */
  async watchOf(collection: string): Promise<OpenWatch> {
    for (;;) {
      const found = this.watches.find(watch => watch.path.startsWith(`${collection}?`));
      if (found !== undefined) return found;
      await new Promise<void>(resolve => this.#wake.push(resolve));
    }
  }

  /** The first request that fits, sent already or later. */
  async request(fits: (request: KubeRequest) => boolean): Promise<KubeRequest> {
    for (;;) {
      const found = this.requests.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>(resolve => this.#wake.push(resolve));
    }
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export function list(items: readonly object[], resourceVersion: string, more = ''): object {
  return { metadata: { resourceVersion, ...(more === '' ? {} : { continue: more }) }, items };
}

export function refused(status: number, message: string): KubeApiError {
  return new KubeApiError(status, message);
}
