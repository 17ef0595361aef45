import { ExchangeError, type ExchangeErrorCode } from '../http/exchange.ts';

/**
 * The peer broke the protocol. `status` is what a server answers before it closes; `message` says what was wrong and is
 * fit for a log, but not for the peer (it may quote nothing of the message).
 */
export class BadMessage extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'BadMessage';
    this.status = status;
  }

  /** For the sink of the exchange it ends. */
  toExchangeError(): ExchangeError {
    return new ExchangeError(exchangeErrorCode(this.status), this.message);
  }
}

function exchangeErrorCode(status: number): ExchangeErrorCode {
  if (status === 413) return 'body_too_large';
  return status === 408 ? 'timeout' : 'protocol_error';
}
