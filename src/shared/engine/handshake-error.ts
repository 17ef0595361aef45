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
    `${with_} ${formatEndpoint(peer)} failed: ${text}${code === '' ? '' : ` (${code})`}${meaningOf(text)}`,
    { cause: error },
  );
}

/** What the words of the TLS library mean for who reads the log; those that say so themselves are left out. RFC 8446, section 6.2 */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/wrong version number|packet length too long|http request/i, 'the other side does not speak TLS there'],
  [/alert unknown ca/i, 'the other side does not trust the root of our certificate'],
  [/alert certificate expired/i, 'for the other side our certificate has expired: look at both clocks'],
  [
    /alert (?:bad certificate|certificate unknown|certificate revoked)/i,
    'the other side refuses our certificate',
  ],
  [/alert certificate required/i, 'the other side asks for a certificate and got none'],
  [/alert unrecognized name/i, 'the other side serves no such server name'],
];

function meaningOf(text: string): string {
  const found = MEANINGS.find(([words]) => words.test(text));
  return found === undefined ? '' : `: ${found[1]}`;
}

export function handshakeTimedOut(timeoutMs: number, peer: SocketEndpoint): ChannelError {
  return new ChannelError(
    'timeout',
    `TLS handshake with ${formatEndpoint(peer)} not finished within ${timeoutMs} ms`,
  );
}

export function gaveWay(peer: SocketEndpoint): ChannelError {
  return new ChannelError(
    'resource_exhausted',
    `TLS handshake with ${formatEndpoint(peer)} gave its place to others: that side kept it waiting, and too many did`,
  );
}

export function tooManyHandshakes(peer: SocketEndpoint): ChannelError {
  return new ChannelError(
    'resource_exhausted',
    `TLS handshake with ${formatEndpoint(peer)} refused: too many handshakes are waiting`,
  );
}
