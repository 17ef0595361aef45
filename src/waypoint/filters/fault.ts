import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import type { Fault, FaultAbort } from '#shared/route/route-filter.ts';
import { httpStatusOf } from './grpc-status.ts';
import type { Refusal } from './refusal.ts';

/** What strikes one request: first the delay, then the abort. */
export interface DrawnFault {
  /** 0: none. */
  readonly delayMs: number;
  readonly abort: FaultAbort | undefined;
}

const NO_FAULT: DrawnFault = Object.freeze({ delayMs: 0, abort: undefined });

/** Each is drawn by itself. @param random gives numbers in [0, 1) */
export function drawFault({ abort, delay }: Fault, random: () => number): DrawnFault {
  const delayed = delay !== undefined && strikes(delay.percent, random);
  const aborted = abort !== undefined && strikes(abort.percent, random);
  if (!delayed && !aborted) return NO_FAULT;
  return { delayMs: delayed ? delay.fixedMs : 0, abort: aborted ? abort.with : undefined };
}

/** Whether a share of 0–100 percent strikes. 100 always does, 0 never. */
export function strikes(percent: number, random: () => number): boolean {
  return random() * 100 < percent;
}

/** A gRPC status for a client that does not speak gRPC is the HTTP status that stands for it. */
export function abortRefusal(abort: FaultAbort): Refusal {
  const isGrpc = abort.kind === 'grpc_status';
  return {
    status: isGrpc ? httpStatusOf(abort.status) : abort.status,
    headers: [],
    body: 'fault filter abort',
    flag: RESPONSE_FLAGS.faultAbort,
    grpcStatus: isGrpc ? abort.status : undefined,
    detail: 'fault injection of the route',
  };
}
