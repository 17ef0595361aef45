import type { TLSSocket } from 'node:tls';
import type { TlsOptions } from '../engine.ts';
import { checkHandshake, type HandshakeFacts, readPeerCertificate } from '../peer-certificate.ts';
import { chainVerifyError } from './node-internals.ts';

/** Checks a finished handshake and reads what it established. Throws `ChannelError` `tls_handshake`. */
export function readHandshakeFacts(socket: TLSSocket, options: TlsOptions, nowMs: number): HandshakeFacts {
  const peer = socket.getPeerX509Certificate();
  const readings = {
    alpn: socket.alpnProtocol === false || socket.alpnProtocol === null ? '' : socket.alpnProtocol,
    tlsVersion: socket.getProtocol() ?? '',
    keyExchangeGroup: groupOf(socket),
    peer: peer === undefined ? undefined : readPeerCertificate(peer),
    verifyError: peer === undefined ? undefined : chainVerifyError(socket),
  };
  return checkHandshake(readings, options, nowMs);
}

function groupOf(socket: TLSSocket): string {
  const info: unknown = socket.getEphemeralKeyInfo();
  if (typeof info !== 'object' || info === null) return '';
  const name: unknown = Reflect.get(info, 'name');
  return typeof name === 'string' ? name : '';
}
