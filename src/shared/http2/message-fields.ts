/**
 * Checks of a decoded header list (RFC 9113 §8.2, §8.3). Each returns what is wrong, or what it has read; a message that
 * is malformed is never shown to the application, because what one hop tolerates is how requests are smuggled past the next.
 */

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// oxlint-disable-next-line no-control-regex -- these are the characters that no field value may hold (RFC 9110 §5.5)
const BAD_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]|^[ \t]|[ \t]$/;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/;
/** No user information (RFC 9113 §8.3.1), nothing that could end the authority or begin another part. */
const AUTHORITY = /^[^\s/?#@\\]+$/;
const PATH = /^(?:\/[^\s#]*|\*)$/;
const COLON = 0x3a;
const DIGITS = /^[0-9]{1,15}$/;
const STATUS = /^[1-9][0-9]{2}$/;

/** Pseudo-header fields and the declared length of one message. */
export interface RequestFields {
  readonly method: string;
  /** -1 when not declared. */
  readonly contentLength: number;
}

export interface ResponseFields {
  readonly status: number;
  readonly contentLength: number;
}

/** One of each for the thread, as of `PSEUDO`. */
const REQUEST = { method: '', contentLength: -1 };
const RESPONSE = { status: 0, contentLength: -1 };

/**
 * `allowProtocol`: extended CONNECT (RFC 8441) was announced.
 * @returns what is wrong, or what was read, in an object that the next check writes into
 */
export function checkRequest(fields: readonly string[], allowProtocol: boolean): RequestFields | string {
  const pseudo = clearedPseudo();
  const regular = readPseudo(fields, allowProtocol ? EXTENDED_REQUEST_PSEUDO : REQUEST_PSEUDO, pseudo);
  if (typeof regular === 'string') return regular;
  const problem = checkRegular(fields, regular) ?? checkTarget(pseudo) ?? checkHost(fields, regular, pseudo);
  if (problem !== undefined) return problem;
  const contentLength = readContentLength(fields, regular);
  if (contentLength === undefined) return 'content-length is not one whole number';
  const method = pseudo.method ?? '';
  // RFC 9110 §9.3.6: a CONNECT has no content; what DATA follow are the tunnel's.
  if (contentLength >= 0 && method === 'CONNECT' && pseudo.protocol === undefined)
    return 'CONNECT with content-length';
  REQUEST.method = method;
  REQUEST.contentLength = contentLength;
  return REQUEST;
}

/** As `checkRequest`. */
export function checkResponse(fields: readonly string[]): ResponseFields | string {
  const pseudo = clearedPseudo();
  const regular = readPseudo(fields, RESPONSE_PSEUDO, pseudo);
  if (typeof regular === 'string') return regular;
  const { status } = pseudo;
  if (status === undefined || !STATUS.test(status)) return ':status is not three digits';
  if (status === '101') return '101 has no meaning in HTTP/2';
  const problem = checkRegular(fields, regular);
  if (problem !== undefined) return problem;
  const contentLength = readContentLength(fields, regular);
  if (contentLength === undefined) return 'content-length is not one whole number';
  RESPONSE.status = Number(status);
  RESPONSE.contentLength = contentLength;
  return RESPONSE;
}

/** @returns what is wrong, or undefined. */
export function checkTrailers(fields: readonly string[]): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.startsWith(':') === true) return 'a pseudo-header field stands among the trailers';
  }
  return checkRegular(fields, 0);
}

/** Pseudo-header fields, each undefined until it comes. */
class Pseudo {
  method: string | undefined = undefined;
  scheme: string | undefined = undefined;
  authority: string | undefined = undefined;
  path: string | undefined = undefined;
  protocol: string | undefined = undefined;
  status: string | undefined = undefined;
}

/** One for the thread: each message is checked within one call. */
const PSEUDO = new Pseudo();

function clearedPseudo(): Pseudo {
  PSEUDO.method =
    PSEUDO.scheme =
    PSEUDO.authority =
    PSEUDO.path =
    PSEUDO.protocol =
    PSEUDO.status =
      undefined;
  return PSEUDO;
}

type PseudoName = keyof Pseudo;

const REQUEST_PSEUDO: ReadonlyMap<string, PseudoName> = new Map([
  [':method', 'method'],
  [':scheme', 'scheme'],
  [':authority', 'authority'],
  [':path', 'path'],
]);
const EXTENDED_REQUEST_PSEUDO: ReadonlyMap<string, PseudoName> = new Map([
  ...REQUEST_PSEUDO,
  [':protocol', 'protocol'],
]);
const RESPONSE_PSEUDO: ReadonlyMap<string, PseudoName> = new Map([[':status', 'status']]);

/** @returns the index of the first regular field, or what is wrong. */
function readPseudo(
  fields: readonly string[],
  known: ReadonlyMap<string, PseudoName>,
  pseudo: Pseudo,
): number | string {
  let i = 0;
  for (; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (name.charCodeAt(0) !== COLON) break;
    const key = known.get(name);
    if (key === undefined) return `unknown pseudo-header field ${JSON.stringify(name)}`;
    if (pseudo[key] !== undefined) return `${name} comes twice`;
    const value = fields[i + 1] ?? '';
    if (BAD_VALUE.test(value)) return `${name} holds a forbidden character`;
    pseudo[key] = value;
  }
  return i;
}

function checkTarget(pseudo: Readonly<Pseudo>): string | undefined {
  const { method, scheme, path, authority } = pseudo;
  if (method === undefined || !METHOD.test(method)) return ':method is missing or not a token';
  if (authority !== undefined && authority !== '' && !AUTHORITY.test(authority))
    return ':authority is not a host';
  const isExtended = pseudo.protocol !== undefined;
  if (isExtended && method !== 'CONNECT') return ':protocol without CONNECT';
  if (method === 'CONNECT' && !isExtended) {
    if (scheme !== undefined || path !== undefined) return 'CONNECT with :scheme or :path';
    return authority === undefined || authority === '' ? 'CONNECT without :authority' : undefined;
  }
  if (scheme === undefined || !SCHEME.test(scheme)) return ':scheme is missing or not a scheme';
  if (path === undefined || !PATH.test(path)) return ':path is missing or not a path';
  if (path === '*' && method !== 'OPTIONS') return ':path * without OPTIONS';
  return undefined;
}

function checkRegular(fields: readonly string[], from: number): string | undefined {
  for (let i = from; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name.charCodeAt(0) === COLON) return `${JSON.stringify(name)} behind a regular field`;
    if (!NAME.test(name)) return `field name ${JSON.stringify(name.slice(0, 40))} is not a lower-case token`;
    if (BAD_VALUE.test(value)) return `the value of ${name} holds a forbidden character`;
    if (isConnectionSpecific(name, value)) return `connection-specific field ${name}`;
  }
  return undefined;
}

/** RFC 9113 §8.2.2. */
function isConnectionSpecific(name: string, value: string): boolean {
  switch (name) {
    case 'connection':
    case 'proxy-connection':
    case 'keep-alive':
    case 'transfer-encoding':
    case 'upgrade':
      return true;
    case 'te':
      return value !== 'trailers';
    default:
      return false;
  }
}

/** Two names for one target are the classic way past a router (RFC 9113 §8.3.1). */
function checkHost(fields: readonly string[], from: number, pseudo: Readonly<Pseudo>): string | undefined {
  let host: string | undefined;
  for (let i = from; i < fields.length; i += 2) {
    if (fields[i] !== 'host') continue;
    if (host !== undefined) return 'host comes twice';
    host = fields[i + 1] ?? '';
  }
  if (host === undefined) return undefined;
  if (host !== '' && !AUTHORITY.test(host)) return 'host is not a host';
  const { authority } = pseudo;
  if (authority !== undefined && authority.toLowerCase() !== host.toLowerCase())
    return 'host differs from :authority';
  return undefined;
}

/** -1 when absent, undefined when not valid; a repeat is refused even when equal. */
function readContentLength(fields: readonly string[], from: number): number | undefined {
  let length = -1;
  for (let i = from; i < fields.length; i += 2) {
    if (fields[i] !== 'content-length') continue;
    const value = fields[i + 1] ?? '';
    if (length >= 0 || !DIGITS.test(value)) return undefined;
    length = Number(value);
  }
  return length;
}
