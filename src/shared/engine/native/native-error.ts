import { errnoName, systemCallFailure } from '../../native/system-error.ts';
import type { TlsFailure } from '../../native/tls-session-handle.ts';
import { ChannelError, type SocketEndpoint } from '../channel.ts';
import { formatEndpoint, systemError } from '../transport-error.ts';

/** What a failed call on a socket means, with the peer named and a hint for the operator. */
export function errnoError(
  errno: number,
  syscall: string,
  doing: string,
  peer: SocketEndpoint,
): ChannelError {
  const [code] = errnoName(errno);
  return systemError(code, systemCallFailure(syscall, errno, doing), doing, peer);
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
