import type { ExchangeError } from '#shared/http/exchange.ts';
import { FAILURES, type RequestFailure } from './error-response.ts';

/** What a failed try makes of its request when there is no other. */
export function failureOf(error: ExchangeError): RequestFailure {
  switch (error.code) {
    case 'connect_failure':
      return 'connect_failure';
    case 'overflow':
      return 'overflow';
    case 'timeout':
      return 'try_timeout';
    case 'protocol_error':
    case 'body_too_large':
      return 'upstream_protocol';
    case 'connection_closed':
      return 'upstream_closed';
    case 'reset':
    case 'cancelled':
    case 'refused_before_sending':
      return 'upstream_reset';
  }
}

/** The flag of a response that broke off in the middle. */
export function flagOf(error: ExchangeError): string {
  return FAILURES[failureOf(error)].flag;
}
