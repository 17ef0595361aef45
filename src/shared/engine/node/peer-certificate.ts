import type { TLSSocket } from 'node:tls';
import { ChannelError } from '../channel.ts';
import type { TlsOptions } from '../engine.ts';
import { chainVerifyError } from './node-internals.ts';
import type { HandshakeFacts } from './secure-channel.ts';
import { parseUriNames } from './subject-alt-names.ts';

/**
 * Checks a finished handshake and reads what it established. OpenSSL has checked signatures, constraints and the system
 * clock; the validity is checked again against the injected clock. Throws `ChannelError` `tls_handshake`.
 */
export function readHandshakeFacts(socket: TLSSocket, options: TlsOptions, nowMs: number): HandshakeFacts {
  const alpn = socket.alpnProtocol === false || socket.alpnProtocol === null ? '' : socket.alpnProtocol;
  if (options.alpn.length > 0 && !options.alpn.includes(alpn))
    throw failure(`the peer offers none of the protocols ${options.alpn.join(', ')} (ALPN)`);
  const common = {
    alpn,
    tlsVersion: socket.getProtocol() ?? '',
    keyExchangeGroup: groupOf(socket),
  };
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) {
    if (options.verifyPeer) throw failure('the peer presented no certificate');
    return { ...common, peerLeaf: Buffer.alloc(0), peerUris: [], peerNotAfter: 0 };
  }
  if (options.verifyPeer) {
    const error = chainVerifyError(socket);
    if (error !== undefined) throw failure(`the peer's certificate is not trusted: ${error}`);
    verifyValidity("the peer's certificate", peer.validFromDate.getTime(), peer.validToDate.getTime(), nowMs);
  }
  const peerUris = parseUriNames(peer.subjectAltName);
  if (peerUris === undefined) throw failure("the peer's subject alternative names do not parse");
  return { ...common, peerLeaf: peer.raw, peerUris, peerNotAfter: peer.validToDate.getTime() };
}

/** Throws `ChannelError` `tls_handshake` when `nowMs` is outside the validity. */
export function verifyValidity(whose: string, notBefore: number, notAfter: number, nowMs: number): void {
  if (nowMs < notBefore)
    throw failure(`${whose} is not valid before ${iso(notBefore)} and the clock says ${iso(nowMs)}`);
  if (nowMs >= notAfter)
    throw failure(`${whose} expired at ${iso(notAfter)} and the clock says ${iso(nowMs)}`);
}

function groupOf(socket: TLSSocket): string {
  const info: unknown = socket.getEphemeralKeyInfo();
  if (typeof info !== 'object' || info === null) return '';
  const name: unknown = Reflect.get(info, 'name');
  return typeof name === 'string' ? name : '';
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function failure(why: string): ChannelError {
  return new ChannelError('tls_handshake', why);
}
