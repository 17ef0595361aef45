import { X509Certificate } from 'node:crypto';
import { ChannelError } from './channel.ts';
import type { TlsOptions } from './engine.ts';
import { serverNameError } from './server-name.ts';
import { parseUriNames } from './subject-alt-names.ts';

/** What the handshake established, read once: the certificate objects need not live as long as the connection. */
export interface HandshakeFacts {
  readonly alpn: string;
  /** DER; empty when the peer presented none and need not. */
  readonly peerLeaf: Buffer;
  readonly peerUris: readonly string[];
  /** Wall clock, ms. */
  readonly peerNotAfter: number;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;
}

/** What an engine read of a finished handshake. */
export interface HandshakeReadings {
  readonly alpn: string;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;
  readonly peer: PeerCertificate | undefined;
  /** The TLS library's verdict on the peer's chain; undefined when it is good. */
  readonly verifyError: string | undefined;
}

export interface PeerCertificate {
  readonly leaf: Buffer;
  /** Wall clock, ms. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Undefined when the names do not parse. */
  readonly uris: readonly string[] | undefined;
}

/**
 * Checks a finished handshake. OpenSSL has checked signatures, constraints and the system clock; the validity is checked
 * again against the injected clock. Throws `ChannelError` `tls_handshake`.
 */
export function checkHandshake(
  readings: HandshakeReadings,
  options: TlsOptions,
  nowMs: number,
): HandshakeFacts {
  const { alpn, keyExchangeGroup, peer, tlsVersion, verifyError } = readings;
  const { server } = options;
  const choseNothing = server !== undefined && alpn === '';
  if (options.alpn.length > 0 && !options.alpn.includes(alpn) && !choseNothing)
    throw failure(`the peer offers none of the protocols ${options.alpn.join(', ')} (ALPN)`);
  const common = { alpn, tlsVersion, keyExchangeGroup };
  if (peer === undefined) {
    if (options.verifyPeer) throw failure('the peer presented no certificate');
    return { ...common, peerLeaf: Buffer.alloc(0), peerUris: [], peerNotAfter: 0 };
  }
  if (options.verifyPeer) {
    if (verifyError !== undefined) throw failure(`the peer's certificate is not trusted: ${verifyError}`);
    verifyValidity("the peer's certificate", peer.notBefore, peer.notAfter, nowMs);
    const nameError = server && serverNameError(peer.leaf, server.names);
    if (nameError !== undefined) throw failure(nameError);
  }
  if (server !== undefined)
    return { ...common, peerLeaf: peer.leaf, peerUris: [], peerNotAfter: peer.notAfter };
  if (peer.uris === undefined) throw failure("the peer's subject alternative names do not parse");
  return { ...common, peerLeaf: peer.leaf, peerUris: peer.uris, peerNotAfter: peer.notAfter };
}

/** Throws `ChannelError` `tls_handshake` when `nowMs` is outside the validity. */
export function verifyValidity(whose: string, notBefore: number, notAfter: number, nowMs: number): void {
  if (nowMs < notBefore)
    throw failure(`${whose} is not valid before ${iso(notBefore)} and the clock says ${iso(nowMs)}`);
  if (nowMs >= notAfter)
    throw failure(`${whose} expired at ${iso(notAfter)} and the clock says ${iso(nowMs)}`);
}

/** What of a certificate counts. Throws an Error when it does not parse. */
export function readPeerCertificate(certificate: X509Certificate): PeerCertificate {
  return {
    leaf: certificate.raw,
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    uris: parseUriNames(certificate.subjectAltName),
  };
}

/** Peers open many connections with one certificate, and parsing it costs as much as a fifth of a handshake. */
const MAX_CACHED = 1024;
const parsed = new Map<string, PeerCertificate>();

/** What `peerCertificateOf` remembers of these bytes. */
export function knownPeer(der: Buffer): PeerCertificate | undefined {
  return parsed.get(der.toString('latin1'));
}

/** As `readPeerCertificate`, of DER bytes that OpenSSL has accepted; the last ones are remembered. */
export function peerCertificateOf(der: Buffer): PeerCertificate {
  const key = der.toString('latin1');
  const known = parsed.get(key);
  if (known !== undefined) return known;
  if (parsed.size >= MAX_CACHED) parsed.clear();
  const peer = readPeerCertificate(new X509Certificate(der));
  parsed.set(key, peer);
  return peer;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function failure(why: string): ChannelError {
  return new ChannelError('tls_handshake', why);
}
