import { ExchangeError, type ExchangeErrorCode, type RequestHead } from '../http/exchange.ts';
import { isConnect } from '../http/tunnel.ts';
import { ErrorCode } from './error-code.ts';
import type { StreamReset } from './stream.ts';

/** Why an exchange failed, from how its stream ended. */
export function toExchangeError(reset: StreamReset): ExchangeError {
  return new ExchangeError(exchangeErrorCode(reset), reset.message);
}

function exchangeErrorCode(reset: StreamReset): ExchangeErrorCode {
  if (reset.unprocessed) return 'refused_before_sending';
  switch (reset.origin) {
    case 'connection':
      return 'connection_closed';
    case 'local':
      return reset.code === ErrorCode.ENHANCE_YOUR_CALM ? 'overflow' : 'protocol_error';
    case 'peer':
      return reset.code === ErrorCode.CANCEL ? 'cancelled' : 'reset';
  }
}

/** The RST_STREAM code that tells a client why its request was given up. REFUSED_STREAM promises it may be sent again. */
export function toResetCode(code: ExchangeErrorCode): number {
  switch (code) {
    case 'refused_before_sending':
      return ErrorCode.REFUSED_STREAM;
    case 'cancelled':
      return ErrorCode.CANCEL;
    case 'protocol_error':
      return ErrorCode.PROTOCOL_ERROR;
    case 'overflow':
      return ErrorCode.ENHANCE_YOUR_CALM;
    case 'reset':
    case 'connection_closed':
    case 'connect_failure':
    case 'timeout':
    case 'body_too_large':
      return ErrorCode.INTERNAL_ERROR;
  }
}

/** The same of an open tunnel: how HTTP/2 says what TCP says by RST (RFC 9113 §8.5, RFC 8441 §5). */
export function toTunnelResetCode(
  asked: Pick<RequestHead, 'method' | 'upgrade'>,
  code: ExchangeErrorCode,
): number {
  if (code !== 'reset' && code !== 'connection_closed') return toResetCode(code);
  return isConnect(asked) ? ErrorCode.CONNECT_ERROR : ErrorCode.CANCEL;
}
