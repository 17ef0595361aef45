/** What a policy may ask about a request; `RequestHead` is one. */
export interface AuthzRequest {
  readonly method: string;
  /** Host and port as the client wrote them. */
  readonly authority: string;
  /** With query. Compared in the form of `normalizePath`, without the query. Empty of a CONNECT. */
  readonly path: string;
  /** Flat list of lower-case name, value. */
  readonly headers: readonly string[];
}

/**
 * The authority without its port, and without the dot of the root, with which it is the same name for who is asked; in lower
 * case (RFC 4343: names are compared without regard to case).
 */
export function hostOf(authority: string): string {
  const lower = authority.toLowerCase();
  const colon = lower.lastIndexOf(':');
  // A colon inside brackets belongs to an IPv6 address, not to a port.
  const host = colon < 0 || lower.indexOf(']', colon) >= 0 ? lower : lower.slice(0, colon);
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** All values of a header as one string, joined by a comma as Istio's policies see them; undefined when absent. */
export function headerText(headers: readonly string[], name: string): string | undefined {
  let text: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    const value = headers[i + 1] ?? '';
    text = text === undefined ? value : `${text},${value}`;
  }
  return text;
}

/**
 * Whether any value of a header passes `test`: each one by itself, and all of them joined. Joined alone, a second value would
 * hide the first from a DENY. An absent header is tested once, as undefined.
 */
export function someHeaderValue(
  headers: readonly string[],
  name: string,
  test: (value: string | undefined) => boolean,
): boolean {
  let count = 0;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    if (test(headers[i + 1])) return true;
    count++;
  }
  return count === 1 ? false : test(headerText(headers, name));
}
