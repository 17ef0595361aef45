import { getCACertificates } from 'node:tls';
import http2 from 'http2-wrapper';
import { errorMessage } from '#shared/observability/error-message.ts';

export interface DocumentRequest {
  readonly url: URL;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Rejects with what went wrong, in words for an operator. */
export type FetchDocument = (request: DocumentRequest) => Promise<string>;

/**
 * Fetches documents over HTTP/2 or HTTP/1.1, whichever the server offers. Redirects are not followed: the address is the
 * operator's, and where it leads is not for the server to choose.
 * @param extraRoots PEM, trusted besides those of the runtime, read anew each time; undefined: none
 */
export function documentFetcher(extraRoots: (() => string) | undefined): FetchDocument {
  return async ({ maxBytes, timeoutMs, url }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const ca = extraRoots === undefined ? {} : { ca: [...getCACertificates('default'), extraRoots()] };
      const headers = { accept: 'application/json', 'user-agent': 'ambient-mesh-waypoint' };
      const request = await http2.auto(url, { ...ca, headers, timeout: timeoutMs });
      return await readAnswer(request, maxBytes, signal);
    } catch (error) {
      throw new Error(`${url.href}: ${reasonOf(error, signal, timeoutMs)}`, { cause: error });
    }
  };
}

type ClientRequest = Awaited<ReturnType<typeof http2.auto>>;

function readAnswer(request: ClientRequest, maxBytes: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      request.destroy();
      reject(error);
    };
    signal.addEventListener('abort', () => fail(new Error('timeout')), { once: true });
    request.on('error', fail);
    request.on('response', response => {
      const status = response.statusCode ?? 0;
      if (status !== 200) return fail(new Error(`answered ${status}, 200 is expected`));
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) fail(new Error(`answered more than ${maxBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    });
    request.end();
  });
}

function reasonOf(error: unknown, signal: AbortSignal, timeoutMs: number): string {
  if (signal.aborted) return `no whole answer within ${timeoutMs} ms`;
  return errorMessage(error);
}
