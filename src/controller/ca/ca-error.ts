/** gRPC status names; the transport maps them to numbers. */
export type CaErrorCode =
  | 'INVALID_ARGUMENT'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'FAILED_PRECONDITION'
  /** Another replica was first. */
  | 'ABORTED'
  | 'UNAVAILABLE';

/** The CA cannot or will not do what was asked. The message is for the one who asked and for the operator's log. */
export class CaError extends Error {
  override readonly name = 'CaError';
  readonly code: CaErrorCode;

  constructor(code: CaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
