import type { ChannelError } from '#shared/engine/channel.ts';
import { TCP_RESPONSE_FLAGS, type TcpResponseFlag } from '#shared/observability/response-flags.ts';
import { NoCertificateError } from '../pod/certificate-store.ts';
import { BoundError } from './bound-error.ts';

/** Why a connection did not come about (or was cut), as the label `response_flags`. */
export function responseFlag(error: ChannelError): TcpResponseFlag {
  if (error instanceof NoCertificateError) return TCP_RESPONSE_FLAGS.identity;
  if (error instanceof BoundError) return TCP_RESPONSE_FLAGS.overflow;
  switch (error.code) {
    case 'policy':
      return TCP_RESPONSE_FLAGS.denied;
    case 'tls_handshake':
    case 'tls_alert':
      return TCP_RESPONSE_FLAGS.tlsFailure;
    case 'protocol':
      return TCP_RESPONSE_FLAGS.http2Handshake;
    case 'connect_refused':
    case 'connect_timeout':
    case 'unreachable':
    case 'reset':
    case 'timeout':
    case 'drain':
    case 'aborted':
    case 'resource_exhausted':
    case 'io':
      return TCP_RESPONSE_FLAGS.connect;
  }
}
