/**
 * What a Secret holds for TLS origination, PEM; '' where it has no such key. It travels apart from routes, to the waypoints
 * alone that need it, and is written to no disk and no dump.
 */
export interface TlsCredential {
  /** `<namespace>/<name>`. */
  readonly name: string;
  /** `tls.crt`, leaf first. */
  readonly certificateChainPem: string;
  /** `tls.key`. */
  readonly privateKeyPem: string;
  /** `ca.crt`. Empty: what the waypoint's machine trusts. */
  readonly trustedRootsPem: string;
  /** `ca.crl`. */
  readonly revocationListsPem: string;
}

/** Istio's name of a Secret for the authorities that the Secret of a certificate does not hold. */
export function rootsBeside(credential: string): string {
  return `${credential}-cacert`;
}
