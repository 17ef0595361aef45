import { derOf } from './certificate-der.ts';
import { openssl } from './openssl.ts';

/** include/openssl/x509_vfy.h */
const X509_V_OK = 0;
const X509_V_ERR_APPLICATION_VERIFICATION = 50;

/** The chain a peer shows in a handshake, while it is verified: an X509_STORE_CTX. Not valid beyond that. */
export class PresentedChain {
  readonly #context: bigint;

  constructor(context: bigint) {
    this.#context = context;
  }

  /** DER of the peer's leaf, in memory of the thread: valid until the next certificate is read. X509_STORE_CTX_get0_cert(3) */
  get leaf(): Buffer {
    return derOf(openssl().X509_STORE_CTX_get0_cert(this.#context));
  }

  /** Builds a chain to a trusted root and verifies it; what is wrong with it becomes the session's. X509_verify_cert(3) */
  verify(): boolean {
    return openssl().X509_verify_cert(this.#context) === 1;
  }

  /** DER of the chain that `verify` has found good, leaf first, root last. X509_STORE_CTX_get0_chain(3) */
  get verified(): readonly Buffer[] {
    const ssl = openssl();
    const stack = ssl.X509_STORE_CTX_get0_chain(this.#context);
    const count = stack === 0n ? 0 : ssl.OPENSSL_sk_num(stack);
    return Array.from({ length: count }, (_, i) => Buffer.from(derOf(ssl.OPENSSL_sk_value(stack, i))));
  }

  /** Instead of `verify`, of a chain that is known to be good. X509_STORE_CTX_set_error(3) */
  accept(): void {
    openssl().X509_STORE_CTX_set_error(this.#context, X509_V_OK);
  }

  refuse(): void {
    openssl().X509_STORE_CTX_set_error(this.#context, X509_V_ERR_APPLICATION_VERIFICATION);
  }
}
