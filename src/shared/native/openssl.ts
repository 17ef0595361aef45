import { DynamicLibrary, toString as readString } from 'node:ffi';
import { type DirectFunctions, directFunctions } from './direct-functions.ts';
import { NativeMemory } from './native-memory.ts';

/**
 * The OpenSSL that the runtime was built with and exports: the same code `node:tls` runs on. Each signature is checked
 * against its manual page; nothing outside `src/shared/native/` may call one.
 */
const DEFINITIONS = {
  TLS_method: { arguments: [], return: 'pointer' },
  SSL_CTX_new: { arguments: ['pointer'], return: 'pointer' },
  SSL_CTX_free: { arguments: ['pointer'], return: 'void' },
  SSL_CTX_ctrl: { arguments: ['pointer', 'i32', 'i64', 'pointer'], return: 'i64' },
  SSL_CTX_set_options: { arguments: ['pointer', 'u64'], return: 'u64' },
  SSL_CTX_set_num_tickets: { arguments: ['pointer', 'u64'], return: 'i32' },
  SSL_CTX_set_alpn_select_cb: { arguments: ['pointer', 'pointer', 'pointer'], return: 'void' },
  SSL_CTX_set_cert_verify_callback: { arguments: ['pointer', 'pointer', 'pointer'], return: 'void' },
  SSL_CTX_use_certificate: { arguments: ['pointer', 'pointer'], return: 'i32' },
  SSL_CTX_use_PrivateKey: { arguments: ['pointer', 'pointer'], return: 'i32' },
  SSL_CTX_check_private_key: { arguments: ['pointer'], return: 'i32' },
  SSL_CTX_get_cert_store: { arguments: ['pointer'], return: 'pointer' },
  X509_STORE_add_cert: { arguments: ['pointer', 'pointer'], return: 'i32' },
  X509_STORE_add_crl: { arguments: ['pointer', 'pointer'], return: 'i32' },
  X509_STORE_set_flags: { arguments: ['pointer', 'u64'], return: 'i32' },
  BIO_new: { arguments: ['pointer'], return: 'pointer' },
  BIO_s_mem: { arguments: [], return: 'pointer' },
  BIO_ctrl: { arguments: ['pointer', 'i32', 'i64', 'pointer'], return: 'i64' },
  BIO_new_mem_buf: { arguments: ['pointer', 'i32'], return: 'pointer' },
  SSL_set0_rbio: { arguments: ['pointer', 'pointer'], return: 'void' },
  SSL_set0_wbio: { arguments: ['pointer', 'pointer'], return: 'void' },
  BIO_up_ref: { arguments: ['pointer'], return: 'i32' },
  BIO_new_bio_pair: { arguments: ['pointer', 'u64', 'pointer', 'u64'], return: 'i32' },
  BIO_nread0: { arguments: ['pointer', 'pointer'], return: 'i32' },
  BIO_nread: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  BIO_read: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  BIO_write: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  BIO_free: { arguments: ['pointer'], return: 'i32' },
  PEM_read_bio_X509: { arguments: ['pointer', 'pointer', 'pointer', 'pointer'], return: 'pointer' },
  PEM_read_bio_PrivateKey: { arguments: ['pointer', 'pointer', 'pointer', 'pointer'], return: 'pointer' },
  PEM_read_bio_X509_CRL: { arguments: ['pointer', 'pointer', 'pointer', 'pointer'], return: 'pointer' },
  X509_CRL_free: { arguments: ['pointer'], return: 'void' },
  X509_verify_cert: { arguments: ['pointer'], return: 'i32' },
  X509_STORE_CTX_get0_cert: { arguments: ['pointer'], return: 'pointer' },
  X509_STORE_CTX_get0_chain: { arguments: ['pointer'], return: 'pointer' },
  X509_STORE_CTX_set_error: { arguments: ['pointer', 'i32'], return: 'void' },
  OPENSSL_sk_num: { arguments: ['pointer'], return: 'i32' },
  OPENSSL_sk_value: { arguments: ['pointer', 'i32'], return: 'pointer' },
  X509_free: { arguments: ['pointer'], return: 'void' },
  EVP_PKEY_free: { arguments: ['pointer'], return: 'void' },
  i2d_X509: { arguments: ['pointer', 'pointer'], return: 'i32' },
  SSL_new: { arguments: ['pointer'], return: 'pointer' },
  SSL_free: { arguments: ['pointer'], return: 'void' },
  SSL_set_fd: { arguments: ['pointer', 'i32'], return: 'i32' },
  SSL_set_accept_state: { arguments: ['pointer'], return: 'void' },
  SSL_set_connect_state: { arguments: ['pointer'], return: 'void' },
  SSL_set_verify: { arguments: ['pointer', 'i32', 'pointer'], return: 'void' },
  SSL_ctrl: { arguments: ['pointer', 'i32', 'i64', 'pointer'], return: 'i64' },
  SSL_set_alpn_protos: { arguments: ['pointer', 'pointer', 'u32'], return: 'i32' },
  SSL_has_pending: { arguments: ['pointer'], return: 'i32' },
  SSL_rstate_string: { arguments: ['pointer'], return: 'pointer' },
  SSL_read: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  SSL_write: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  SSL_shutdown: { arguments: ['pointer'], return: 'i32' },
  SSL_get_error: { arguments: ['pointer', 'i32'], return: 'i32' },
  SSL_get1_peer_certificate: { arguments: ['pointer'], return: 'pointer' },
  SSL_get_verify_result: { arguments: ['pointer'], return: 'i64' },
  X509_verify_cert_error_string: { arguments: ['i64'], return: 'pointer' },
  SSL_get0_alpn_selected: { arguments: ['pointer', 'pointer', 'pointer'], return: 'void' },
  SSL_get_version: { arguments: ['pointer'], return: 'pointer' },
  SSL_get0_group_name: { arguments: ['pointer'], return: 'pointer' },
  ERR_get_error: { arguments: [], return: 'u64' },
  ERR_error_string_n: { arguments: ['u64', 'pointer', 'u64'], return: 'void' },
  ERR_clear_error: { arguments: [], return: 'void' },
} as const;

/** Those that take strings, or call back (the choice of a protocol, the verification of a peer). */
const CONVERTED = {
  SSL_CTX_set_cipher_list: { arguments: ['pointer', 'string'], return: 'i32' },
  SSL_CTX_set_ciphersuites: { arguments: ['pointer', 'string'], return: 'i32' },
  SSL_do_handshake: { arguments: ['pointer'], return: 'i32' },
} as const;

/** For callbacks that OpenSSL calls. Never closed. */
export const opensslLibrary = new DynamicLibrary(null);

function loadConverted() {
  return opensslLibrary.getFunctions(CONVERTED);
}

let direct: DirectFunctions<typeof DEFINITIONS> | undefined;
let converted: ReturnType<typeof loadConverted> | undefined;

/** Resolved on first use. Throws, naming it, when the runtime does not export a function. */
export function openssl(): DirectFunctions<typeof DEFINITIONS> {
  return (direct ??= directFunctions(opensslLibrary, DEFINITIONS));
}

/** As `openssl`, of those whose arguments are converted and checked by the runtime at each call. */
export function opensslConverted(): ReturnType<typeof loadConverted> {
  return (converted ??= loadConverted());
}

/** include/openssl/ssl.h */
export const SslError = { ssl: 1, wantRead: 2, wantWrite: 3, syscall: 5, zeroReturn: 6 } as const;

const MAX_ERROR_TEXT_BYTES = 256;
let errorText: NativeMemory | undefined;

/**
 * Empties the thread's error queue, which must be empty before the next call whose failure is to be understood.
 * @returns the oldest error in OpenSSL's words, or '' when there was none. ERR_get_error(3), ERR_error_string_n(3)
 */
export function takeOpensslError(): string {
  const code = openssl().ERR_get_error();
  if (code === 0n) return '';
  errorText ??= new NativeMemory(MAX_ERROR_TEXT_BYTES);
  openssl().ERR_error_string_n(code, errorText.address, BigInt(MAX_ERROR_TEXT_BYTES));
  openssl().ERR_clear_error();
  return readString(errorText.address) ?? '';
}

/** A C string that OpenSSL owns, copied; '' for NULL. */
export function textAt(address: bigint): string {
  return address === 0n ? '' : (readString(address) ?? '');
}
