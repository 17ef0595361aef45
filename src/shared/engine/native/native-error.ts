import { SystemCallError } from '../../native/system-error.ts';
import type { TlsFailure } from '../../native/tls-session-handle.ts';
import { ChannelError, type SocketEndpoint } from '../channel.ts';
import { channelErrorFrom, formatEndpoint } from '../transport-error.ts';

/**
 * What a failed call on a socket means, with the peer named and a hint for the operator. Taken without a stack, which would
 * cost more than all else that the end of a connection does.
 */
export function errnoError(
  errno: number,
  syscall: string,
  doing: string,
  peer: SocketEndpoint,
): ChannelError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return channelErrorFrom(new SystemCallError(syscall, errno, doing), doing, peer);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Why a connection that was established failed. */
export function transportError(
  failure: TlsFailure | undefined,
  doing: string,
  peer: SocketEndpoint,
): ChannelError {
  if (failure === undefined)
    return new ChannelError('reset', `${doing} ${formatEndpoint(peer)}: it is closed`);
  if (failure.kind === 'syscall' && failure.errno > 0) return errnoError(failure.errno, 'recv', doing, peer);
  const isCutShort = failure.kind === 'syscall' || failure.text.includes('unexpected eof');
  if (isCutShort) {
    const text = 'the peer closed the connection without ending TLS (no close_notify)';
    return new ChannelError('reset', `${doing} ${formatEndpoint(peer)}: ${text}`);
  }
  return new ChannelError('tls_alert', `${doing} ${formatEndpoint(peer)}: ${failure.text}`);
}
