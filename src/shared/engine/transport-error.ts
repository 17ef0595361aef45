import { errorMessage } from '../observability/error-message.ts';
import { ChannelError, type ChannelErrorCode, type SocketEndpoint } from './channel.ts';

/** System call errors by their libuv name. What is not listed is `io`. */
const CODES: ReadonlyMap<string, ChannelErrorCode> = new Map<string, ChannelErrorCode>([
  ['ECONNREFUSED', 'connect_refused'],
  ['ETIMEDOUT', 'connect_timeout'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETUNREACH', 'unreachable'],
  ['EHOSTDOWN', 'unreachable'],
  ['ENETDOWN', 'unreachable'],
  ['EADDRNOTAVAIL', 'unreachable'],
  ['ECONNRESET', 'reset'],
  ['EPIPE', 'reset'],
  ['ECONNABORTED', 'reset'],
  ['ENOTCONN', 'reset'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'reset'],
  ['EMFILE', 'resource_exhausted'],
  ['ENFILE', 'resource_exhausted'],
  ['ENOBUFS', 'resource_exhausted'],
  ['ENOMEM', 'resource_exhausted'],
]);

const HINTS: Partial<Record<ChannelErrorCode, string>> = {
  connect_refused: 'nothing listens there',
  connect_timeout: 'no answer: is the pod running, and does a NetworkPolicy block the port?',
  unreachable: 'no route to it from this network namespace',
  reset: 'the peer closed the connection abruptly',
  resource_exhausted: 'out of file descriptors or memory: raise the limit of open files',
};

/** What a socket error means, with the peer named and a hint for the operator. */
export function channelErrorFrom(error: unknown, doing: string, peer: SocketEndpoint): ChannelError {
  if (error instanceof ChannelError) return error;
  return systemError(systemCodeOf(error), errorMessage(error), doing, peer, { cause: error });
}

/** The same of the code alone, where nothing was thrown. @param text for codes that have no hint */
export function systemError(
  systemCode: string,
  text: string,
  doing: string,
  peer: SocketEndpoint,
  options?: ErrorOptions,
): ChannelError {
  const code = codeOf(systemCode);
  const hint = HINTS[code];
  const message = `${doing} ${formatEndpoint(peer)}: ${hint === undefined ? text : `${hint} (${systemCode})`}`;
  return new ChannelError(code, message, options);
}

/** `ip:port`, IPv6 in brackets. */
export function formatEndpoint(endpoint: SocketEndpoint): string {
  return endpoint.ip.includes(':') ? `[${endpoint.ip}]:${endpoint.port}` : `${endpoint.ip}:${endpoint.port}`;
}

export function systemCodeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

function codeOf(systemCode: string): ChannelErrorCode {
  // OpenSSL reports a peer's alert and a broken record alike; both mean that the session cannot go on.
  if (systemCode.startsWith('ERR_SSL_') || systemCode.startsWith('ERR_TLS_')) return 'tls_alert';
  return CODES.get(systemCode) ?? 'io';
}
