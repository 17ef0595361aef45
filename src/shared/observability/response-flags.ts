/** Envoy's short words for why a request or connection ended as it did; `-` when nothing went wrong. */
export const RESPONSE_FLAGS = {
  none: '-',
  /** No healthy upstream. */
  noHealthyUpstream: 'UH',
  upstreamConnectionFailure: 'UF',
  upstreamConnectionTermination: 'UC',
  upstreamReset: 'UR',
  upstreamOverflow: 'UO',
  upstreamRequestTimeout: 'UT',
  upstreamRetryLimitExceeded: 'URX',
  upstreamProtocolError: 'UPE',
  noRouteFound: 'NR',
  noClusterFound: 'NC',
  downstreamConnectionTermination: 'DC',
  downstreamProtocolError: 'DPE',
  /** The stream or connection was idle for too long. */
  idleTimeout: 'SI',
  durationTimeout: 'DT',
  overloadManager: 'OM',
  dnsResolutionFailure: 'DF',
  rateLimited: 'RL',
  unauthorized: 'UAEX',
  /** The rate-limit service did not answer. */
  rateLimitServiceError: 'RLSE',
  faultDelay: 'DI',
  faultAbort: 'FI',
} as const;

/** ztunnel's values of the label `response_flags`. */
export const TCP_RESPONSE_FLAGS = {
  none: '-',
  denied: 'DENY',
  connect: 'CONNECT',
  tlsFailure: 'TLS_FAILURE',
  http2Handshake: 'H2_HANDSHAKE_FAILURE',
  networkPolicy: 'NETWORK_POLICY',
  identity: 'IDENTITY_ERROR',
  certificateRevoked: 'CERT_REVOKED',
  /** No place for another connection. Envoy's word. */
  overflow: 'UO',
} as const;

export type ResponseFlag = (typeof RESPONSE_FLAGS)[keyof typeof RESPONSE_FLAGS];
export type TcpResponseFlag = (typeof TCP_RESPONSE_FLAGS)[keyof typeof TCP_RESPONSE_FLAGS];
