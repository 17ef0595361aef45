import { RESPONSE_FLAGS, type ResponseFlag } from '#shared/observability/response-flags.ts';

/** Every way in which the waypoint itself ends a request. */
export type RequestFailure =
  | 'bad_host'
  | 'bad_path'
  | 'bad_target'
  | 'unsupported'
  | 'connect_unnamed'
  | 'denied'
  | 'no_route'
  | 'no_backend'
  | 'unknown_service'
  | 'no_endpoint'
  | 'unresolved_host'
  | 'connect_failure'
  | 'overflow'
  | 'overloaded'
  | 'upstream_closed'
  | 'upstream_reset'
  | 'upstream_protocol'
  | 'request_timeout'
  | 'try_timeout'
  | 'stream_idle'
  | 'retries_exhausted';

export interface FailureResponse {
  readonly status: number;
  readonly flag: ResponseFlag;
  /** For gRPC clients, who get it in a response of status 200. */
  readonly grpcStatus: number;
  /** To the client: says what, but nothing of the mesh's inside. */
  readonly body: string;
}

/** One table: what the client gets, and what operators see in log and metrics. */
export const FAILURES: Readonly<Record<RequestFailure, FailureResponse>> = {
  bad_host: row(400, RESPONSE_FLAGS.downstreamProtocolError, 13, 'malformed host'),
  bad_path: row(400, RESPONSE_FLAGS.downstreamProtocolError, 13, 'malformed path'),
  bad_target: row(400, RESPONSE_FLAGS.downstreamProtocolError, 13, 'malformed CONNECT target'),
  unsupported: row(
    501,
    RESPONSE_FLAGS.downstreamProtocolError,
    12,
    'the protocol of the upgrade is not served here',
  ),
  // RFC 9110 §15.6.2. 405 would say which methods the target has, and it is no resource of ours.
  connect_unnamed: row(
    501,
    RESPONSE_FLAGS.downstreamProtocolError,
    12,
    'CONNECT is not served here: no route names it. For a forward proxy add a rule with method CONNECT ' +
      '(HTTPRoute, service-router) or method exact CONNECT (VirtualService)',
  ),
  denied: row(403, RESPONSE_FLAGS.unauthorized, 7, 'RBAC: access denied'),
  no_route: row(404, RESPONSE_FLAGS.noRouteFound, 12, 'no route matches'),
  no_backend: row(500, RESPONSE_FLAGS.noClusterFound, 13, 'route has no valid backend'),
  unknown_service: row(500, RESPONSE_FLAGS.noClusterFound, 13, 'route has no valid backend'),
  no_endpoint: row(503, RESPONSE_FLAGS.noHealthyUpstream, 14, 'no healthy upstream'),
  unresolved_host: row(503, RESPONSE_FLAGS.dnsResolutionFailure, 14, 'host not resolved'),
  connect_failure: row(503, RESPONSE_FLAGS.upstreamConnectionFailure, 14, 'upstream connect failure'),
  overflow: row(503, RESPONSE_FLAGS.upstreamOverflow, 14, 'upstream overflow'),
  overloaded: row(503, RESPONSE_FLAGS.overloadManager, 14, 'overloaded'),
  upstream_closed: row(
    503,
    RESPONSE_FLAGS.upstreamConnectionTermination,
    14,
    'upstream closed the connection',
  ),
  upstream_reset: row(503, RESPONSE_FLAGS.upstreamReset, 14, 'upstream reset the request'),
  upstream_protocol: row(502, RESPONSE_FLAGS.upstreamProtocolError, 14, 'upstream sent no valid response'),
  request_timeout: row(504, RESPONSE_FLAGS.upstreamRequestTimeout, 4, 'upstream request timeout'),
  try_timeout: row(504, RESPONSE_FLAGS.upstreamRequestTimeout, 4, 'upstream request timeout'),
  stream_idle: row(504, RESPONSE_FLAGS.idleTimeout, 4, 'stream idle timeout'),
  retries_exhausted: row(503, RESPONSE_FLAGS.upstreamRetryLimitExceeded, 14, 'upstream failed'),
};

function row(status: number, flag: ResponseFlag, grpcStatus: number, body: string): FailureResponse {
  return { status, flag, grpcStatus, body };
}
