/** Names of gRPC's statuses, by number. */
export const GRPC_STATUS_NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

/** The number of a status, by name or written as a number; undefined when it is none. */
export function grpcStatus(text: string): number | undefined {
  const named = GRPC_STATUS_NAMES.findIndex(name => name === text.toUpperCase());
  if (named >= 0) return named;
  const number = /^\d{1,2}$/.test(text) ? Number(text) : GRPC_STATUS_NAMES.length;
  return number < GRPC_STATUS_NAMES.length ? number : undefined;
}
