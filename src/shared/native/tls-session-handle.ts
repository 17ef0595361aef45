import { offerOf } from './alpn.ts';
import { derOf } from './certificate-der.ts';
import { errnoNow } from './errno.ts';
import { type ChainVerifier, type HandshakeAnswers, stepHandshake } from './handshake-callbacks.ts';
import { cString, NativeMemory } from './native-memory.ts';
import { openssl, SslError, takeOpensslError, textAt } from './openssl.ts';
import type { RecordFeed } from './record-feed.ts';
import { RecordsWithoutData } from './records-without-data.ts';
import { type RecordStage, STAGE_BYTES } from './record-stage.ts';
import type { TlsContextHandle } from './tls-context-handle.ts';

const VERIFY_NONE = 0;
const VERIFY_PEER_OR_FAIL = 1 | 2;
/** include/openssl/tls1.h */
const CTRL_SET_TLSEXT_HOSTNAME = 55;
const TLSEXT_NAMETYPE_HOST_NAME = 0n;
const X509_V_OK = 0n;

/** RFC 7301 §3.1: a name's length has one byte. */
const MAX_PROTOCOL_BYTES = 255;

export interface TlsSessionOptions {
  readonly isServer: boolean;
  readonly alpn: readonly string[];
  readonly verifyPeer: boolean;
  /** Asked where the context says so. */
  readonly verifier?: ChainVerifier | undefined;
  /** A client tells it (SNI). */
  readonly serverName?: string | undefined;
}

/** What an `SSL` reads and writes: a non-blocking socket, which stays the caller's, or memory of the thread. */
export type TlsWire = { readonly fd: number } | { readonly feed: RecordFeed; readonly stage: RecordStage };

/** What a call that did not succeed waits for, or why it failed. */
export type TlsOutcome = 'want_read' | 'want_write' | 'closed' | TlsFailure;

export interface TlsFailure {
  /** `syscall`: the socket failed with `errno` (0: it ended without close_notify). `protocol`: OpenSSL says why in `text`. */
  readonly kind: 'syscall' | 'protocol';
  readonly errno: number;
  readonly text: string;
}

const NO_DATA: TlsFailure = {
  kind: 'protocol',
  errno: 0,
  text: 'the peer changes keys, or sends tickets or empty records, again and again with hardly any data in between',
};

/** include/openssl/ssl.h, SSL_ST_READ_BODY: the header of a record has come, and not all of the rest. */
const READS_BODY = 'RB';

/** An `SSL`. No call may come after `free`: its owner (`TlsTransport`, `ChannelRecords`, a handshake) sees to that. ssl(7) */
export class TlsSessionHandle {
  #ssl: bigint;
  readonly #answers: HandshakeAnswers;
  readonly #withoutData = new RecordsWithoutData();
  /** Why `readRecords` read no further: undefined where it has read all. */
  readEnd: 'closed' | TlsFailure | undefined;

  /** Throws an Error when there is no memory for it. */
  constructor(context: TlsContextHandle, wire: TlsWire, options: TlsSessionOptions) {
    const ssl = openssl();
    this.#answers = { alpn: options.alpn, verifier: options.verifier };
    this.#ssl = ssl.SSL_new(context.pointer);
    if (this.#ssl === 0n) throw new Error(`no TLS session: ${takeOpensslError()}`);
    if ('fd' in wire) ssl.SSL_set_fd(this.#ssl, wire.fd);
    else this.useMemory(wire.feed, wire.stage);
    ssl.SSL_set_verify(this.#ssl, options.verifyPeer ? VERIFY_PEER_OR_FAIL : VERIFY_NONE, 0n);
    if (options.isServer) ssl.SSL_set_accept_state(this.#ssl);
    else this.#offer(options.alpn);
    if (options.serverName !== undefined) this.#name(options.serverName);
  }

  /** In place of the socket, once nothing of either direction is under way. Each call takes over a reference. SSL_set0_rbio(3) */
  useMemory(feed: RecordFeed, stage: RecordStage): void {
    const ssl = openssl();
    ssl.BIO_up_ref(feed.readEnd);
    ssl.SSL_set0_rbio(this.#ssl, feed.readEnd);
    ssl.BIO_up_ref(stage.writeEnd);
    ssl.SSL_set0_wbio(this.#ssl, stage.writeEnd);
  }

  /** SSL_set_tlsext_host_name(3), which is a macro. The text is copied during the call. */
  #name(serverName: string): void {
    const text = cString(serverName);
    const type = TLSEXT_NAMETYPE_HOST_NAME;
    if (openssl().SSL_ctrl(this.#ssl, CTRL_SET_TLSEXT_HOSTNAME, type, text.address) !== 1n)
      throw new Error(`cannot ask for ${serverName}: ${takeOpensslError()}`);
  }

  #offer(alpn: readonly string[]): void {
    openssl().SSL_set_connect_state(this.#ssl);
    const list = offerOf(alpn);
    if (list.size === 0) return;
    // Copied by OpenSSL during the call. It answers 0 for success here, unlike everywhere else.
    if (openssl().SSL_set_alpn_protos(this.#ssl, list.address, list.size) !== 0)
      throw new Error(`cannot offer ${alpn.join(', ')}: ${takeOpensslError()}`);
  }

  /** One step. @returns undefined once it is done. SSL_do_handshake(3) */
  handshake(): TlsOutcome | undefined {
    const result = stepHandshake(this.#ssl, this.#answers);
    return result === 1 ? undefined : this.outcome(result);
  }

  /**
   * Decrypts what the feed holds, of a session that reads there, to memory that has room for all of it (`FED_PLAIN_BYTES`).
   * The feed, in which there is something, is empty afterwards. What ended it is in `readEnd`. @returns bytes. SSL_read(3)
   */
  readRecords(feed: RecordFeed, address: bigint, length: number): number {
    const ssl = openssl();
    let end = 0;
    let isAskedAgain = false;
    do {
      const count = ssl.SSL_read(this.#ssl, address + BigInt(end), length - end);
      if (count > 0) {
        end += count;
        this.#withoutData.dataCame(count);
        isAskedAgain = false;
      } else {
        const outcome = this.outcome(count);
        const hasRest = this.#hasRest();
        this.readEnd = this.#endOf(outcome, hasRest, feed.isEmpty);
        if (this.readEnd !== undefined) feed.clear();
        isAskedAgain = this.readEnd === undefined && hasRest && !isAskedAgain;
      }
    } while (isAskedAgain || !feed.isEmpty);
    return end;
  }

  /** A part of a record, or a whole one: the answer to a change of keys before it had to leave first. SSL_rstate_string(3) */
  #hasRest(): boolean {
    const ssl = openssl();
    // Of a record whose header alone has come nothing is pending.
    return ssl.SSL_has_pending(this.#ssl) === 1 || textAt(ssl.SSL_rstate_string(this.#ssl)) === READS_BODY;
  }

  #endOf(outcome: TlsOutcome, hasRest: boolean, isFeedEmpty: boolean): 'closed' | TlsFailure | undefined {
    // Its answers are more than the stage holds, and each change of keys has one.
    if (outcome === 'want_write') return NO_DATA;
    if (outcome !== 'want_read') return outcome;
    // Perhaps a part of a record.
    if (hasRest && isFeedEmpty) return undefined;
    return this.#withoutData.count(!hasRest) ? NO_DATA : undefined;
  }

  /** Encrypts and sends, one record at most. @returns bytes taken, or ≤ 0: see `outcome`. SSL_write(3) */
  write(address: bigint, length: number): number {
    return openssl().SSL_write(this.#ssl, address, length);
  }

  /**
   * Encrypts into the stage, which is empty, up to `length` bytes and up to what it holds, for a session that writes there.
   * @returns bytes taken, or ≤ 0: see `outcome`
   */
  writeRecords(address: bigint, length: number): number {
    const ssl = openssl();
    const end = Math.min(length, STAGE_BYTES);
    let taken = 0;
    let result = 0;
    while (taken < end && (result = ssl.SSL_write(this.#ssl, address + BigInt(taken), end - taken)) > 0)
      taken += result;
    return taken > 0 ? taken : result;
  }

  /** Sends close_notify. @returns undefined once it has left. SSL_shutdown(3) */
  closeNotify(): TlsOutcome | undefined {
    const result = openssl().SSL_shutdown(this.#ssl);
    return result >= 0 ? undefined : this.outcome(result);
  }

  /** What the failed call's result means: the very next call after it. SSL_get_error(3) */
  outcome(result: number): TlsOutcome {
    // Before any other call: it would overwrite it.
    const errno = errnoNow();
    switch (openssl().SSL_get_error(this.#ssl, result)) {
      case SslError.wantRead:
        return 'want_read';
      case SslError.wantWrite:
        return 'want_write';
      case SslError.zeroReturn:
        return 'closed';
      case SslError.syscall:
        takeOpensslError();
        return { kind: 'syscall', errno, text: '' };
      default:
        return { kind: 'protocol', errno: 0, text: takeOpensslError() };
    }
  }

  /** DER of the peer's leaf; undefined when it presented none. */
  peerCertificate(): Buffer | undefined {
    const certificate = openssl().SSL_get1_peer_certificate(this.#ssl);
    if (certificate === 0n) return undefined;
    try {
      return Buffer.from(derOf(certificate));
    } finally {
      openssl().X509_free(certificate);
    }
  }

  /** OpenSSL's verdict on the peer's chain; undefined when it is good. SSL_get_verify_result(3) */
  verifyError(): string | undefined {
    const result = openssl().SSL_get_verify_result(this.#ssl);
    return result === X509_V_OK ? undefined : textAt(openssl().X509_verify_cert_error_string(result));
  }

  /** '' when none was negotiated. */
  get alpn(): string {
    const out = cells();
    openssl().SSL_get0_alpn_selected(this.#ssl, out.name.address, out.length.address);
    const length = out.length.bytes.readUInt32LE(0);
    if (length === 0) return '';
    out.protocol.copyFrom(out.name.bytes.readBigUInt64LE(0), 0, length);
    return out.protocol.bytes.toString('latin1', 0, length);
  }

  get version(): string {
    return textAt(openssl().SSL_get_version(this.#ssl));
  }

  /** Of the key exchange; '' before the handshake. */
  get group(): string {
    return textAt(openssl().SSL_get0_group_name(this.#ssl));
  }

  free(): void {
    const ssl = this.#ssl;
    this.#ssl = 0n;
    if (ssl !== 0n) openssl().SSL_free(ssl);
  }
}

interface Cells {
  readonly name: NativeMemory;
  readonly length: NativeMemory;
  readonly protocol: NativeMemory;
}

let memory: Cells | undefined;

/** Of the thread, for one call each: a handshake allocates none. */
function cells(): Cells {
  memory ??= {
    name: new NativeMemory(8),
    length: new NativeMemory(4),
    protocol: new NativeMemory(MAX_PROTOCOL_BYTES),
  };
  return memory;
}
