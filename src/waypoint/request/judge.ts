import type { ExchangeError, ResponseHead } from '#shared/http/exchange.ts';
import { getHeader, type HeaderList } from '#shared/http/headers.ts';
import { failureByClass } from '#shared/route/classify.ts';
import type { ResponseClass } from '#shared/route/condition.ts';
import type { LocalFailure } from '../balance/endpoint-health.ts';

/** The HTTP status that a gRPC status stands for where endpoints are judged, as Envoy. */
function httpStatusOf(grpcStatus: number): number {
  switch (grpcStatus) {
    case 2:
    case 13:
    case 15:
      return 500;
    case 4:
      return 504;
    case 8:
      return 429;
    case 12:
      return 501;
    case 14:
      return 503;
    default:
      return 200;
  }
}

/**
 * By what an endpoint is judged when the head of a response is there; undefined: gRPC, whose status comes at the end.
 * @param classes of the route: what they call a failure counts as a 5xx, what they do not as none
 */
export function statusSoFar(
  { headers, status }: ResponseHead,
  endStream: boolean,
  classes: readonly ResponseClass[] = [],
): number | undefined {
  const failure = classes.length === 0 ? undefined : failureByClass(classes, status);
  if (failure === true) return Math.max(status, 500);
  if (failure === false) return status < 400 ? status : 200;
  if (status !== 200 || getHeader(headers, 'content-type')?.startsWith('application/grpc') !== true)
    return status;
  return endStream ? grpcStatusOf(headers) : undefined;
}

/** Of trailers, or of a response that is trailers only. A stream that ends without status is a success of the endpoint. */
export function grpcStatusOf(fields: HeaderList): number {
  const text = getHeader(fields, 'grpc-status');
  return text === undefined ? 200 : httpStatusOf(Number(text));
}

/** What a try that broke off says of its endpoint; undefined: nothing. `sent`: something of the request went out. */
export function localFailureOf({ code }: ExchangeError, sent: boolean): LocalFailure | undefined {
  switch (code) {
    case 'connect_failure':
      return 'connect';
    case 'timeout':
      return 'timeout';
    case 'reset':
    case 'connection_closed':
      return 'broken';
    case 'protocol_error':
      return sent ? 'broken' : undefined;
    case 'cancelled':
    case 'overflow':
    case 'body_too_large':
    // Not processed, as the endpoint is about to go: nothing is wrong with it.
    case 'refused_before_sending':
      return undefined;
  }
}
