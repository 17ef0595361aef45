export type PkiErrorCode =
  | 'bad_pem'
  | 'bad_certificate'
  | 'bad_csr'
  | 'bad_key'
  | 'weak_key'
  | 'bad_chain'
  | 'wrong_identity'
  | 'not_valid_now';

/** Certificate, key or request material that cannot be used. The message says which and why. */
export class PkiError extends Error {
  override readonly name = 'PkiError';
  readonly code: PkiErrorCode;

  constructor(code: PkiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
