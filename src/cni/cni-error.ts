/** Codes of the CNI specification 1.1.0, section 5, and one of ours. */
export const CniErrorCode = {
  incompatibleVersion: 1,
  invalidEnvironment: 4,
  decodeFailure: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  refused: 100,
} as const;
export type CniErrorCode = (typeof CniErrorCode)[keyof typeof CniErrorCode];

/** Ends the call: the runtime prints it in an event of the pod. */
export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: CniErrorCode;

  constructor(code: CniErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
