import { getUint8, setUint64, setUint8, toBuffer } from 'node:ffi';
import { chooseProtocol } from './alpn.ts';
import { opensslConverted, opensslLibrary } from './openssl.ts';
import { PresentedChain } from './presented-chain.ts';

const SSL_TLSEXT_ERR_OK = 0;
const SSL_TLSEXT_ERR_ALERT_FATAL = 2;

/** Decides whether a peer's chain is trusted. */
export interface ChainVerifier {
  /** The chain is valid during the call. Where it throws, the peer is refused. */
  trusts(chain: PresentedChain): boolean;
}

/** What OpenSSL asks in the middle of a handshake. */
export interface HandshakeAnswers {
  /** What a server accepts, in its order of preference. */
  readonly alpn: readonly string[];
  readonly verifier: ChainVerifier | undefined;
}

/** Of the handshake whose step runs now: callbacks run within that call and nowhere else. */
let current: HandshakeAnswers | undefined;

/** One step of a handshake. @returns as SSL_do_handshake(3) */
export function stepHandshake(ssl: bigint, answers: HandshakeAnswers): number {
  current = answers;
  try {
    return opensslConverted().SSL_do_handshake(ssl);
  } finally {
    current = undefined;
  }
}

let onAlpn: bigint | undefined;

/**
 * SSL_CTX_set_alpn_select_cb(3). The answer must point into memory that outlives the call: the client's own list does.
 * It must not throw: the exception would cross OpenSSL's frames.
 */
export function alpnCallback(): bigint {
  onAlpn ??= opensslLibrary.registerCallback(
    // Addresses as numbers: as pointers their type would admit what only a caller may pass.
    { arguments: ['u64', 'u64', 'u64', 'u64', 'u32', 'u64'], return: 'i32' },
    (_ssl, out, outLength, offered, offeredLength) => {
      try {
        const at = chooseProtocol(toBuffer(offered, offeredLength, true), current?.alpn ?? []);
        if (at === undefined) return SSL_TLSEXT_ERR_ALERT_FATAL;
        setUint64(out, 0, offered + BigInt(at));
        setUint8(outLength, 0, getUint8(offered, at - 1));
        return SSL_TLSEXT_ERR_OK;
      } catch {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
      }
    },
  );
  return onAlpn;
}

let onVerify: bigint | undefined;

/** SSL_CTX_set_cert_verify_callback(3): instead of X509_verify_cert(3), which the verifier calls. It must not throw either. */
export function verifyCallback(): bigint {
  onVerify ??= opensslLibrary.registerCallback({ arguments: ['u64', 'u64'], return: 'i32' }, storeContext => {
    const chain = new PresentedChain(storeContext);
    try {
      return (current?.verifier?.trusts(chain) ?? chain.verify()) ? 1 : 0;
    } catch {
      chain.refuse();
      return 0;
    }
  });
  return onVerify;
}
