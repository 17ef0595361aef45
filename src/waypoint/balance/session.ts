import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader, type HeaderList, setHeader } from '#shared/http/headers.ts';
import type { RouteBackend, SessionPersistence } from '#shared/route/model.ts';
import { readCookie } from '#shared/http/cookie.ts';
import type { BalancedEndpoint } from './endpoint.ts';
import { hashText } from './text-hash.ts';

/** Which endpoint, of which backend of a rule, a client's session is with. Times are of the wall clock, in seconds. */
interface Token {
  readonly backend: number;
  readonly endpoint: number;
  readonly createdS: number;
  readonly seenS: number;
}

/**
 * Hashes of backend and endpoint, when the session began, when it was last used; base 36. Whoever forges one only chooses
 * among the backends and endpoints that the rule gives to everybody.
 */
const TOKEN = /^2\.([0-9a-z]{1,7})\.([0-9a-z]{1,7})\.([0-9a-z]{1,9})\.([0-9a-z]{1,9})$/;

/** The session of one request: the endpoint it asks for, and what its client is told. */
export class ClientSession {
  readonly #policy: SessionPersistence;
  readonly #nowS: number;
  readonly #token: Token | undefined;

  /** @param nowMs wall clock */
  constructor(policy: SessionPersistence, request: Pick<RequestHead, 'headers'>, nowMs: number) {
    this.#policy = policy;
    this.#nowS = Math.floor(nowMs / 1_000);
    const { headers } = request;
    const text =
      policy.kind === 'cookie' ? readCookie(headers, policy.name) : getHeader(headers, policy.name);
    this.#token = text === undefined ? undefined : this.#valid(parseToken(text));
  }

  /**
   * The backend of the session, whatever the weights say now: a client that was led to a new version stays with it. Undefined
   * for a new session, and when the rule has that backend no more, or gives it nothing.
   */
  backend(backends: readonly RouteBackend[]): RouteBackend | undefined {
    const { backend } = this.#token ?? {};
    if (backend === undefined) return undefined;
    return backends.find(candidate => candidate.weight > 0 && hashOf(candidate) === backend);
  }

  /** Where the session is: undefined for a new one, or when that endpoint is gone, out, or has been tried. */
  find(
    endpoints: readonly BalancedEndpoint[],
    tried: readonly BalancedEndpoint[],
  ): BalancedEndpoint | undefined {
    if (this.#token === undefined) return undefined;
    const candidate = byHash(endpoints).get(this.#token.endpoint);
    return candidate === undefined || candidate.load.out || tried.includes(candidate) ? undefined : candidate;
  }

  /** Tells the client of its endpoint, where that is news or its time begins anew. */
  write(headers: HeaderList, served: RouteBackend, { uid }: BalancedEndpoint): void {
    const { absoluteTimeoutMs, idleTimeoutMs, kind, lifetime, name, path } = this.#policy;
    const backend = hashOf(served);
    const endpoint = hashText(uid);
    const same = this.#token?.endpoint === endpoint && this.#token.backend === backend;
    if (same && idleTimeoutMs === undefined) return;
    const createdS = same ? (this.#token?.createdS ?? this.#nowS) : this.#nowS;
    const parts36 = [backend, endpoint, createdS, this.#nowS].map(part => part.toString(36));
    const text = ['2', ...parts36].join('.');
    if (kind === 'header') {
      setHeader(headers, name, text);
      return;
    }
    const parts = [`${name}=${text}`];
    if (lifetime === 'permanent' && absoluteTimeoutMs !== undefined)
      parts.push(`Max-Age=${Math.max(0, Math.ceil(absoluteTimeoutMs / 1_000) - (this.#nowS - createdS))}`);
    parts.push(`Path=${path ?? '/'}`, 'HttpOnly');
    headers.push('set-cookie', parts.join('; '));
  }

  #valid(token: Token | undefined): Token | undefined {
    if (token === undefined) return undefined;
    const { absoluteTimeoutMs = Number.POSITIVE_INFINITY, idleTimeoutMs = Number.POSITIVE_INFINITY } =
      this.#policy;
    const ended =
      (this.#nowS - token.createdS) * 1_000 > absoluteTimeoutMs ||
      (this.#nowS - token.seenS) * 1_000 > idleTimeoutMs;
    return ended ? undefined : token;
  }
}

function parseToken(text: string): Token | undefined {
  const match = TOKEN.exec(text);
  if (match === null) return undefined;
  const [backend = 0, endpoint = 0, createdS = 0, seenS = 0] = match
    .slice(1)
    .map(part => Number.parseInt(part, 36));
  return { backend, endpoint, createdS, seenS };
}

const backendHashes = new WeakMap<RouteBackend, number>();

function hashOf(backend: RouteBackend): number {
  let hash = backendHashes.get(backend);
  if (hash === undefined) {
    const { port, service = '', subset = '' } = backend;
    backendHashes.set(backend, (hash = hashText(`${service} ${port} ${subset}`)));
  }
  return hash;
}

/** Of the lists of endpoints there are now: a session finds its own among ten thousand without looking at them. */
const indexes = new WeakMap<readonly BalancedEndpoint[], ReadonlyMap<number, BalancedEndpoint>>();

function byHash(endpoints: readonly BalancedEndpoint[]): ReadonlyMap<number, BalancedEndpoint> {
  let index = indexes.get(endpoints);
  if (index === undefined)
    indexes.set(endpoints, (index = new Map(endpoints.map(endpoint => [hashText(endpoint.uid), endpoint]))));
  return index;
}
