/** Of both Envoys of a pair, and of whoever stands beside a measured proxy. */
export const BENCH_IDENTITY = 'spiffe://cluster.local/ns/bench/sa/bench';
/** Of the pod on the server's side that a ztunnel of ours captures. */
export const SERVER_IDENTITY = 'spiffe://cluster.local/ns/bench/sa/server';
