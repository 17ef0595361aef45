import { errorMessage } from '../observability/error-message.ts';
import { alpnCallback, verifyCallback } from './handshake-callbacks.ts';
import { cString, NativeMemory } from './native-memory.ts';
import { openssl, opensslConverted, takeOpensslError } from './openssl.ts';

/** include/openssl/ssl.h */
const Ctrl = {
  mode: 33,
  clearMode: 78,
  sessionCacheMode: 44,
  extraChainCert: 14,
  groupsList: 92,
  minProtoVersion: 123,
  maxProtoVersion: 124,
} as const;
const TLS1_2_VERSION = 0x0303n;
const TLS1_3_VERSION = 0x0304n;
const MODE_PARTIAL_WRITE = 0x1n;
/** By default a read goes on behind a record without application data, however many of them there are. */
const MODE_AUTO_RETRY = 0x4n;
/** A write that could not go out is tried again with the same bytes, which may have moved to another place meanwhile. */
const MODE_MOVING_WRITE_BUFFER = 0x2n;
/** Idle connections keep no buffers: 34 KB each otherwise. */
const MODE_RELEASE_BUFFERS = 0x10n;
/** The chain is shown as it was given. Otherwise one of a leaf alone is built and verified each time, and its root sent along. */
const MODE_NO_AUTO_CHAIN = 0x8n;
const SESS_CACHE_OFF = 0n;
const OP_NO_TICKET = 1n << 14n;
/** Both ways (RFC 8879). A client would compress its certificate anew for each handshake: 1.6 ms to save 100 bytes. */
const OP_NO_CERTIFICATE_COMPRESSION = (1n << 32n) | (1n << 33n);
const OP_NO_RENEGOTIATION = 1n << 30n;
/** include/openssl/x509_vfy.h: every certificate of the chain but a root must be in the realm of a list, and not on it. */
const X509_V_FLAG_CRL_CHECK = 0x4n;
const X509_V_FLAG_CRL_CHECK_ALL = 0x8n;

export interface TlsContextMaterial {
  /** Leaf first. Empty: none is shown. */
  readonly certificates: readonly string[];
  readonly privateKey: string;
  readonly roots: readonly string[];
  readonly revocationLists?: readonly string[];
  readonly cipherSuites: string;
  /** Of TLS 1.2, which is spoken too then. Undefined: TLS 1.3 alone. */
  readonly olderCiphers?: string;
  readonly groups: string;
  /** Whether a session's `verifier` is asked about the peer's chain. Otherwise OpenSSL decides alone. */
  readonly asksVerifier: boolean;
}

/** An `SSL_CTX`: certificate, key, trust and parameters of one identity. SSL_CTX_new(3) */
export class TlsContextHandle {
  readonly pointer: bigint;
  /** Sessions hold the SSL_CTX by a reference count of their own, so that a replaced context lives as long as they do. */
  static readonly #registry = new FinalizationRegistry((pointer: bigint) => openssl().SSL_CTX_free(pointer));

  /** Throws an Error that names what OpenSSL does not accept. */
  constructor(material: TlsContextMaterial) {
    const ssl = openssl();
    this.pointer = ssl.SSL_CTX_new(ssl.TLS_method());
    if (this.pointer === 0n) throw new Error(`no TLS context: ${takeOpensslError()}`);
    try {
      this.#configure(material);
    } catch (error) {
      ssl.SSL_CTX_free(this.pointer);
      throw error;
    }
    TlsContextHandle.#registry.register(this, this.pointer);
  }

  /** What of the parameters the runtime's OpenSSL does not know; undefined when it knows all. */
  static unsupported(cipherSuites: string, groups: string): string | undefined {
    const ssl = openssl();
    const context = ssl.SSL_CTX_new(ssl.TLS_method());
    try {
      setParameters(context, cipherSuites, groups);
      return undefined;
    } catch (error) {
      return errorMessage(error);
    } finally {
      ssl.SSL_CTX_free(context);
    }
  }

  #configure(material: TlsContextMaterial): void {
    const ssl = openssl();
    setParameters(this.pointer, material.cipherSuites, material.groups);
    if (material.olderCiphers !== undefined) admitOlder(this.pointer, material.olderCiphers);
    ssl.SSL_CTX_ctrl(this.pointer, Ctrl.sessionCacheMode, SESS_CACHE_OFF, 0n);
    const mode = MODE_PARTIAL_WRITE | MODE_MOVING_WRITE_BUFFER | MODE_RELEASE_BUFFERS | MODE_NO_AUTO_CHAIN;
    ssl.SSL_CTX_ctrl(this.pointer, Ctrl.mode, mode, 0n);
    ssl.SSL_CTX_ctrl(this.pointer, Ctrl.clearMode, MODE_AUTO_RETRY, 0n);
    ssl.SSL_CTX_set_options(this.pointer, OP_NO_TICKET | OP_NO_RENEGOTIATION | OP_NO_CERTIFICATE_COMPRESSION);
    // Without tickets (and with no session cache) every connection is a full handshake that proves the identity anew.
    ssl.SSL_CTX_set_num_tickets(this.pointer, 0n);
    if (material.certificates.length > 0) this.#useCertificates(material);
    this.#trust(material.roots);
    this.#distrust(material.revocationLists ?? []);
    ssl.SSL_CTX_set_alpn_select_cb(this.pointer, alpnCallback(), 0n);
    if (material.asksVerifier) ssl.SSL_CTX_set_cert_verify_callback(this.pointer, verifyCallback(), 0n);
  }

  #useCertificates({ certificates, privateKey }: TlsContextMaterial): void {
    const ssl = openssl();
    certificates.forEach((pem, i) => {
      const certificate = parseCertificate(pem);
      if (i > 0) {
        // The context takes the reference over.
        const added = ssl.SSL_CTX_ctrl(this.pointer, Ctrl.extraChainCert, 0n, certificate);
        if (added > 0n) return;
        ssl.X509_free(certificate);
        throw new Error(`certificate ${i} of the chain: ${takeOpensslError()}`);
      }
      const used = ssl.SSL_CTX_use_certificate(this.pointer, certificate);
      ssl.X509_free(certificate);
      required(used, 'leaf certificate');
    });
    const key = readPem(privateKey, bio => ssl.PEM_read_bio_PrivateKey(bio, 0n, 0n, 0n), 'private key');
    const used = ssl.SSL_CTX_use_PrivateKey(this.pointer, key);
    ssl.EVP_PKEY_free(key);
    required(used, 'private key');
    required(ssl.SSL_CTX_check_private_key(this.pointer), 'private key of the leaf certificate');
  }

  #trust(roots: readonly string[]): void {
    const ssl = openssl();
    const store = ssl.SSL_CTX_get_cert_store(this.pointer);
    for (const pem of roots) {
      const root = parseCertificate(pem);
      const added = ssl.X509_STORE_add_cert(store, root);
      ssl.X509_free(root);
      required(added, 'root of the trust bundle');
    }
  }

  /** X509_STORE_add_crl(3), X509_VERIFY_PARAM_set_flags(3) */
  #distrust(revocationLists: readonly string[]): void {
    if (revocationLists.length === 0) return;
    const ssl = openssl();
    const store = ssl.SSL_CTX_get_cert_store(this.pointer);
    for (const pem of revocationLists) {
      const list = readPem(pem, bio => ssl.PEM_read_bio_X509_CRL(bio, 0n, 0n, 0n), 'revocation list');
      const added = ssl.X509_STORE_add_crl(store, list);
      ssl.X509_CRL_free(list);
      required(added, 'revocation list');
    }
    required(
      ssl.X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL),
      'revocation',
    );
  }
}

/** SSL_CTX_set_cipher_list(3) */
function admitOlder(context: bigint, ciphers: string): void {
  control(context, Ctrl.minProtoVersion, TLS1_2_VERSION, 'TLS 1.2');
  required(opensslConverted().SSL_CTX_set_cipher_list(context, ciphers), 'ciphers of TLS 1.2');
}

/** SSL_CTX_set_min_proto_version(3), SSL_CTX_set_ciphersuites(3), SSL_CTX_set1_groups_list(3) */
function setParameters(context: bigint, cipherSuites: string, groups: string): void {
  control(context, Ctrl.minProtoVersion, TLS1_3_VERSION, 'TLS 1.3');
  control(context, Ctrl.maxProtoVersion, TLS1_3_VERSION, 'TLS 1.3');
  required(opensslConverted().SSL_CTX_set_ciphersuites(context, cipherSuites), 'cipher suites');
  // Copied during the call.
  control(context, Ctrl.groupsList, 0n, 'key exchange groups', cString(groups).address);
}

function control(context: bigint, command: number, value: bigint, what: string, pointer = 0n): void {
  required(Number(openssl().SSL_CTX_ctrl(context, command, value, pointer)), what);
}

function required(result: number, what: string): void {
  if (result !== 1) throw new Error(`${what}: ${takeOpensslError()}`);
  openssl().ERR_clear_error();
}

function parseCertificate(pem: string): bigint {
  return readPem(pem, bio => openssl().PEM_read_bio_X509(bio, 0n, 0n, 0n), 'certificate');
}

function readPem(pem: string, read: (bio: bigint) => bigint, what: string): bigint {
  const text = Buffer.from(pem);
  const bytes = new NativeMemory(text.length);
  bytes.bytes.set(text);
  const bio = openssl().BIO_new_mem_buf(bytes.address, text.length);
  const parsed = bio === 0n ? 0n : read(bio);
  openssl().BIO_free(bio);
  if (parsed === 0n) throw new Error(`${what} does not parse: ${takeOpensslError()}`);
  return parsed;
}
