import type { RetryCondition } from '#shared/route/model.ts';

/** gRPC statuses that Envoy can retry on, by its names. */
export const GRPC_RETRY_CONDITIONS: ReadonlyMap<string, RetryCondition> = new Map([
  ['cancelled', 'grpc_cancelled'],
  ['deadline-exceeded', 'grpc_deadline_exceeded'],
  ['internal', 'grpc_internal'],
  ['resource-exhausted', 'grpc_resource_exhausted'],
  ['unavailable', 'grpc_unavailable'],
]);
