import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';

/** What of a request decides whether it is served. */
export interface GuardedRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`, which pages cannot set. */
  readonly fetchSite: string | undefined;
  readonly authorization: string | undefined;
}

export interface GuardOptions {
  readonly token: string;
  /** Names by which it is reached besides addresses and `localhost`. */
  readonly hosts: readonly string[];
}

export interface Refusal {
  readonly status: 401 | 403 | 405;
  readonly message: string;
}

export const API_PREFIX = '/api/';

/**
 * Pure. Undefined: it may be served. Against a page elsewhere that makes a browser ask here: a name that leads here (DNS rebinding) is none
 * of ours, a request of another site says so, and what tells of the mesh needs the token, which no browser sends by itself.
 */
export function refusalOf(request: GuardedRequest, options: GuardOptions): Refusal | undefined {
  const isApi = request.path.startsWith(API_PREFIX);
  if (request.method !== 'GET' && (isApi || request.method !== 'HEAD'))
    return { status: 405, message: 'the dashboard changes nothing; use ambientctl or kubectl' };
  if (!isOurs(request.host, options.hosts))
    return {
      status: 403,
      message: `the name ${JSON.stringify(request.host)} is none of this dashboard; use its address, or start it with --host NAME`,
    };
  if (!isApi) return undefined;
  const { authorization, fetchSite, host, origin } = request;
  if (origin !== undefined && origin !== `http://${host}`) return ELSEWHERE;
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none') return ELSEWHERE;
  if (isSame(authorization ?? '', `Bearer ${options.token}`)) return undefined;
  return {
    status: 401,
    message: 'open the address that "ambientctl dashboard" has printed: it holds a token',
  };
}

const ELSEWHERE: Refusal = { status: 403, message: 'this is not for pages of other sites' };

/** An address cannot be made to lead here by who owns a name. */
function isOurs(host: string, hosts: readonly string[]): boolean {
  const [, bracketed, plain] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host) ?? [];
  const name = (bracketed ?? plain ?? '').toLowerCase();
  return isIP(name) !== 0 || name === 'localhost' || hosts.includes(name);
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
