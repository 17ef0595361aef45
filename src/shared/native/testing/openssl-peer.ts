import { DynamicLibrary } from 'node:ffi';
import { setImmediate as turn } from 'node:timers/promises';
import { offerOf } from '../alpn.ts';
import { stepHandshake } from '../handshake-callbacks.ts';
import { NativeMemory } from '../native-memory.ts';
import { openssl } from '../openssl.ts';
import { closeFd, openTcpSocket } from '../socket.ts';
import { WITHIN_NAMESPACE } from '../socket-factory.ts';
import {
  pendingError,
  sendSlice,
  setCongestionControl,
  setOption,
  shutdownWrites,
  startConnect,
} from '../stream-socket.ts';
import type { TlsContextHandle } from '../tls-context-handle.ts';

/** include/openssl/ssl.h */
const SSL_KEY_UPDATE_REQUESTED = 1;
const VERIFY_NONE = 0;
/** 32 bytes of application data, of which 2 are there. RFC 8446 §5.1 */
const START_OF_RECORD = [23, 3, 3, 0, 32, 1, 2];

const keyUpdate = new DynamicLibrary(null).getFunctions({
  SSL_key_update: { arguments: ['pointer', 'i32'], return: 'i32' },
});

/** A peer in OpenSSL's own words, which reads when the test says so. */
export class OpensslPeer {
  readonly #ssl: bigint;
  readonly #fd = openTcpSocket(4);
  readonly #memory = new NativeMemory(64 * 1024);

  constructor(context: TlsContextHandle) {
    const ssl = openssl();
    this.#ssl = ssl.SSL_new(context.pointer);
    ssl.SSL_set_fd(this.#ssl, this.#fd);
    ssl.SSL_set_connect_state(this.#ssl);
    ssl.SSL_set_verify(this.#ssl, VERIFY_NONE, 0n);
    const offer = offerOf(['h2']);
    ssl.SSL_set_alpn_protos(this.#ssl, offer.address, offer.size);
  }

  async connect(port: number): Promise<void> {
    // What it writes is there at once.
    setOption(this.#fd, 'tcpNoDelay', 1);
    setCongestionControl(this.#fd, WITHIN_NAMESPACE);
    startConnect(this.#fd, { ip: '127.0.0.1', port });
    while (stepHandshake(this.#ssl, { alpn: [], verifier: undefined }) !== 1) {
      if (pendingError(this.#fd) !== 0) throw new Error('no connection');
      await turn();
    }
  }

  asksForNewKeys(): void {
    keyUpdate.SSL_key_update(this.#ssl, SSL_KEY_UPDATE_REQUESTED);
  }

  /** @returns whether the socket took it */
  asksForNewKeysNow(): boolean {
    this.asksForNewKeys();
    return stepHandshake(this.#ssl, { alpn: [], verifier: undefined }) === 1;
  }

  /** Ends the connection within a record. */
  breaksOff(): void {
    sendSlice(this.#fd, Buffer.from(START_OF_RECORD));
    shutdownWrites(this.#fd);
  }

  async write(text: string): Promise<void> {
    while (!this.writesNow(text)) await turn();
  }

  /** @returns whether the socket took it: all or nothing */
  writesNow(text: string): boolean {
    const bytes = new NativeMemory(text.length);
    bytes.bytes.write(text);
    return openssl().SSL_write(this.#ssl, bytes.address, text.length) === text.length;
  }

  async read(length: number): Promise<Buffer> {
    const whole = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const count = openssl().SSL_read(
        this.#ssl,
        this.#memory.address,
        Math.min(length - at, this.#memory.size),
      );
      if (count > 0) at += this.#memory.bytes.copy(whole, at, 0, count);
      else await turn();
    }
    return whole;
  }

  close(): void {
    openssl().SSL_free(this.#ssl);
    closeFd(this.#fd);
  }
}
