/**
 * Whether a protocol that a client asks to switch to carries requests of its own: HTTP again (`h2c`, `HTTP/2.0`), or TLS
 * with HTTP inside (RFC 2817). A proxy that agreed would never see them, and no policy or route would hold for them.
 * @param token of `Upgrade` or `:protocol`, in any case
 */
export function carriesRequests(token: string): boolean {
  const [name = ''] = token.toLowerCase().split('/', 1);
  return name === 'tls' || name === 'http' || /^h[0-9]c?$/.test(name);
}
