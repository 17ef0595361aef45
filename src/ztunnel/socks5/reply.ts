import type { ChannelError } from '#shared/engine/channel.ts';
import { SOCKS5, SOCKS5_REPLY } from './request.ts';

/** `05 method` */
export function methodReply(method: number): Uint8Array {
  return Uint8Array.of(SOCKS5.version, method);
}

/** `05 reply 00 01 0.0.0.0 0`: the bound address is the proxy's affair, and clients do not use it after CONNECT. */
export function requestReply(code: number): Uint8Array {
  return Uint8Array.of(SOCKS5.version, code, 0, SOCKS5.ipv4, 0, 0, 0, 0, 0, 0);
}

/** The reply code nearest to why a connection did not come about. */
export function replyCode(failure: ChannelError): number {
  switch (failure.code) {
    case 'policy':
      return SOCKS5_REPLY.notAllowed;
    case 'connect_refused':
      return SOCKS5_REPLY.connectionRefused;
    case 'connect_timeout':
    case 'timeout':
      return SOCKS5_REPLY.ttlExpired;
    case 'unreachable':
      return SOCKS5_REPLY.hostUnreachable;
    case 'reset':
    case 'tls_handshake':
    case 'tls_alert':
    case 'protocol':
    case 'drain':
    case 'aborted':
    case 'resource_exhausted':
    case 'io':
      return SOCKS5_REPLY.generalFailure;
  }
}
