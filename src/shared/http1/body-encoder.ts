import type { ByteChannel } from '../engine/channel.ts';
import { isForbiddenInTrailers } from './field-names.ts';
import { beginHead, endHead, putFields, putText } from './head-writer.ts';

const CRLF = Buffer.from('\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Puts the framing on one message body. One encoder a connection, started anew for each message. */
export class BodyEncoder {
  #mode: 'none' | 'length' | 'chunked' | 'raw' = 'none';
  #left = 0;

  /** No body: whatever is written is dropped (HEAD, 204, 304). */
  startNone(): void {
    this.#mode = 'none';
  }

  startLength(bytes: number): void {
    this.#mode = 'length';
    this.#left = bytes;
  }

  startChunked(): void {
    this.#mode = 'chunked';
  }

  /** A tunnel, or a body that ends with the connection. */
  startRaw(): void {
    this.#mode = 'raw';
  }

  get raw(): boolean {
    return this.#mode === 'raw';
  }

  /** False when `bytes` more would be more than was declared: the message can only be broken off. */
  fits(bytes: number): boolean {
    return this.#mode !== 'length' || bytes <= this.#left;
  }

  /** False when the body would end short of what was declared. */
  get complete(): boolean {
    return this.#mode !== 'length' || this.#left === 0;
  }

  /** @returns as `ByteChannel.write` */
  write(channel: Pick<ByteChannel, 'write'>, slice: Uint8Array): boolean {
    if (this.#mode === 'none' || slice.length === 0) return true;
    if (this.#mode !== 'chunked') {
      this.#left -= slice.length;
      return channel.write(slice);
    }
    beginHead();
    putText(slice.length.toString(16));
    putText('\r\n');
    channel.write(endHead());
    channel.write(slice);
    return channel.write(CRLF);
  }

  /** The end mark of a chunked body. A half-close, where that is the end mark, is the connection's to send. */
  end(channel: ByteChannel, trailers: readonly string[] | undefined): void {
    if (this.#mode !== 'chunked') return;
    if (trailers === undefined || trailers.length === 0) {
      channel.write(LAST_CHUNK);
      return;
    }
    beginHead();
    putText('0\r\n');
    putFields(withoutForbidden(trailers));
    putText('\r\n');
    channel.write(endHead());
  }
}

function withoutForbidden(trailers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] ?? '';
    if (!isForbiddenInTrailers(name)) kept.push(name, trailers[i + 1] ?? '');
  }
  return kept;
}
