import { errorMessage } from '../observability/error-message.ts';
import { ChannelError, type SocketEndpoint } from './channel.ts';
import { formatEndpoint, systemCodeOf } from './transport-error.ts';

/** A handshake that failed, in one sentence: with whom, which side we were, and why. */
export function handshakeError(
  error: unknown,
  role: 'client' | 'server',
  peer: SocketEndpoint,
): ChannelError {
  const text = errorMessage(error);
  const code = error instanceof ChannelError ? '' : systemCodeOf(error);
  const with_ = role === 'server' ? 'TLS handshake from' : 'TLS handshake with';
  return new ChannelError(
    'tls_handshake',
    `${with_} ${formatEndpoint(peer)} failed: ${text}${code === '' ? '' : ` (${code})`}`,
    { cause: error },
  );
}

export function handshakeTimedOut(timeoutMs: number, peer: SocketEndpoint): ChannelError {
  return new ChannelError(
    'timeout',
    `TLS handshake with ${formatEndpoint(peer)} not finished within ${timeoutMs} ms`,
  );
}

export function tooManyHandshakes(peer: SocketEndpoint): ChannelError {
  return new ChannelError(
    'resource_exhausted',
    `TLS handshake with ${formatEndpoint(peer)} refused: too many handshakes are waiting`,
  );
}
