/** How a try failed without a response of the endpoint's. */
export type LocalFailure =
  /** No connection could be made. */
  | 'connect'
  | 'timeout'
  /** The connection or the stream broke, or what came was no HTTP. */
  | 'broken';

/**
 * Hears how the tries at one endpoint end, and takes it out of the choice while it fails (`EndpointLoad.setOut`). Each try
 * that began ends in exactly one of the other calls.
 */
export interface EndpointHealth {
  /** False: `onStatus` need not be told, nothing would come of it. */
  readonly watchesStatus: boolean;
  onStart(): void;
  /** The status of the response; of gRPC the one its status stands for. */
  onStatus(status: number): void;
  onFailure(failure: LocalFailure): void;
  /** Given up by the client or by us: says nothing of the endpoint. */
  onInconclusive(): void;
  /** The endpoint is gone. */
  close(): void;
}

/** Why an endpoint was taken out. */
export type EjectionReason =
  | 'connect_failure'
  | 'consecutive_5xx'
  | 'consecutive_gateway_failure'
  | 'consecutive_local_origin_failure'
  | 'failure_percentage'
  | 'failure_accrual'
  | 'success_rate';

export interface EjectionListener {
  onEject(uid: string, reason: EjectionReason, forMs: number): void;
  onReturn(uid: string): void;
}
