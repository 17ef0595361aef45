import { lookup as lookUp } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import http2 from 'http2-wrapper';
import { errorMessage } from '#shared/observability/error-message.ts';
import { canonicalIp } from '#shared/workload/ip.ts';

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
 * @param isDialable whoever may write a RequestAuthentication chooses the address: not one of the waypoint itself
 */
export function documentFetcher(
  extraRoots: (() => string) | undefined,
  isDialable: (ip: string) => boolean,
): FetchDocument {
  const lookup = lookupOf(isDialable);
  return async ({ maxBytes, timeoutMs, url }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const ip = canonicalIp(url.hostname.replace(/^\[|\]$/g, ''));
      if (ip !== undefined && !isDialable(ip)) throw new Error('may not be dialled from here');
      const ca = extraRoots === undefined ? {} : { ca: [...getCACertificates('default'), extraRoots()] };
      const headers = { accept: 'application/json', 'user-agent': 'ambient-mesh-waypoint' };
      const request = await http2.auto(url, { ...ca, headers, timeout: timeoutMs, lookup });
      return await readAnswer(request, maxBytes, signal);
    } catch (error) {
      throw new Error(`${url.href}: ${reasonOf(error, signal, timeoutMs)}`, { cause: error });
    }
  };
}

function lookupOf(isDialable: (ip: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '', 0);
      const addresses = found.filter(({ address }) => isDialable(canonicalIp(address) ?? address));
      const [first] = addresses;
      if (first === undefined)
        return callback(new Error(`${hostname} has no address that may be dialled from here`), '', 0);
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
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
