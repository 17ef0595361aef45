/** What both contenders have on, besides mTLS on both sides, access log and metrics. */
export const RETRY = {
  attempts: 2,
  perTryTimeoutS: 5,
  on: 'connect-failure,refused-stream,unavailable,cancelled,503',
} as const;
export const REQUEST_TIMEOUT_S = 30;
export const NAMESPACE = 'bench';
export const WAYPOINT_ACCOUNT = 'waypoint';
export const WAYPOINT_IDENTITY = `spiffe://cluster.local/ns/${NAMESPACE}/sa/${WAYPOINT_ACCOUNT}`;
/** Of the client's edge and of the endpoint. */
export const PEER_ACCOUNT = 'bench';
