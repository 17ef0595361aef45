import type { RetryPolicy } from './model.ts';

/** For routes that say nothing: Istio's defaults, without 503, which a service may mean. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = Object.freeze<RetryPolicy>({
  attempts: 2,
  on: ['connect_failure', 'refused_stream', 'grpc_unavailable', 'grpc_cancelled', 'retriable_status_codes'],
  statusCodes: [],
  perTryTimeoutMs: undefined,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  remoteLocalities: false,
  hostSelectionAttempts: 5,
});
