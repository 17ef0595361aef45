import { chooseProtocol } from './alpn.ts';
import { libc } from './libc.ts';
import { NativeMemory } from './native-memory.ts';
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

/** RFC 7301 §3.1: the length of the list has two bytes. */
const MAX_LIST_BYTES = 64 * 1024;

interface AlpnMemory {
  readonly list: NativeMemory;
  readonly name: NativeMemory;
  readonly length: NativeMemory;
}

let memory: AlpnMemory | undefined;

/** Of the thread, for one call each: a handshake allocates none. */
function alpnMemory(): AlpnMemory {
  memory ??= {
    list: new NativeMemory(MAX_LIST_BYTES),
    name: new NativeMemory(8),
    length: new NativeMemory(1),
  };
  return memory;
}

/** A copy, valid until the next call. Throws where it is longer than a list can be. */
function listAt(address: bigint, length: number): Buffer {
  const { list } = alpnMemory();
  list.copyFrom(address, 0, length);
  return list.bytes.subarray(0, length);
}

/** Writes to `const unsigned char **out` and `unsigned char *outlen`. memcpy(3) */
function answer(out: bigint, outLength: bigint, name: bigint, length: number): void {
  const cells = alpnMemory();
  cells.name.bytes.writeBigUInt64LE(name, 0);
  cells.length.bytes.writeUInt8(length, 0);
  libc().memcpy(out, cells.name.address, 8n);
  libc().memcpy(outLength, cells.length.address, 1n);
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
        const list = listAt(offered, offeredLength);
        const at = chooseProtocol(list, current?.alpn ?? []);
        if (at === undefined) return SSL_TLSEXT_ERR_ALERT_FATAL;
        answer(out, outLength, offered + BigInt(at), list[at - 1] ?? 0);
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
