import type { ResponseClass } from './condition.ts';
import { matchesResponse } from './match-condition.ts';

/** Whether a response is a failure by the classes of its route: the first that holds decides. Undefined: none does. */
export function failureByClass(classes: readonly ResponseClass[], status: number): boolean | undefined {
  return classes.find(({ condition }) => matchesResponse(condition, status))?.isFailure;
}

/** gRPC statuses that count as failures where no class speaks: UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const GRPC_FAILURES = ['2', '4', '7', '13', '14', '15'];

/** How a request ended, as far as it is classified. */
export interface ClassifiedEnd {
  /** What the client was answered. */
  readonly status: number;
  /** Empty: none, or no gRPC. */
  readonly grpcStatus: string;
  /** The service has not answered, or not to the end. */
  readonly broken: boolean;
}

/** Whether a request failed, as Linkerd counts: what breaks off has, then the classes decide, then the status. */
export function isFailedRequest(
  classes: readonly ResponseClass[],
  { broken, grpcStatus, status }: ClassifiedEnd,
): boolean {
  if (broken) return true;
  return failureByClass(classes, status) ?? (status >= 500 || GRPC_FAILURES.includes(grpcStatus));
}
