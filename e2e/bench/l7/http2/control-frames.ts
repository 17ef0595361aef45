import type { ByteChannel } from '#shared/engine/channel.ts';
import {
  DEFAULT_WINDOW_BYTES,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  writeFrameHeader,
  writeUint32,
} from '#shared/http2/frame.ts';
import {
  applySettings,
  initialPeerSettings,
  type PeerSettings,
  SETTING_BYTES,
} from '#shared/http2/settings.ts';
import { TABLE_BYTES } from './prepared-frames.ts';

export interface ControlOptions {
  readonly role: 'client' | 'server';
  readonly settings: readonly (readonly [id: number, value: number])[];
  /** Of the connection, for what is received. */
  readonly windowBytes: number;
}

/** What a connection of HTTP/2 says besides requests and answers: settings, answers to PING, credit for what has come. */
export class ControlFrames {
  readonly peer: PeerSettings = initialPeerSettings(Number.POSITIVE_INFINITY);
  readonly #channel: ByteChannel;
  readonly #options: ControlOptions;
  /** Received since credit was given last. */
  #owedBytes = 0;

  constructor(channel: ByteChannel, options: ControlOptions) {
    this.#channel = channel;
    this.#options = options;
  }

  /** SETTINGS and the window of the connection. */
  begin(): void {
    const { settings, windowBytes } = this.#options;
    const payload = Buffer.alloc(settings.length * SETTING_BYTES);
    for (const [i, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, i * SETTING_BYTES);
      writeUint32(payload, i * SETTING_BYTES + 2, value);
    }
    this.#write(FrameType.SETTINGS, 0, payload);
    this.#credit(windowBytes - DEFAULT_WINDOW_BYTES);
  }

  /** A DATA frame of so many bytes has come: what was taken is asked for again when half of the window is gone. */
  received(bytes: number): void {
    this.#owedBytes += bytes;
    if (this.#owedBytes < this.#options.windowBytes / 2) return;
    this.#credit(this.#owedBytes);
    this.#owedBytes = 0;
  }

  /** SETTINGS and PING; all others are passed over. */
  onFrame(type: number, flags: number, buffer: Buffer, start: number, end: number): void {
    if ((flags & Flag.ACK) !== 0) return;
    if (type === FrameType.PING) this.#write(FrameType.PING, Flag.ACK, buffer.subarray(start, end));
    if (type !== FrameType.SETTINGS) return;
    applySettings(this.peer, buffer, start, end, this.#options.role === 'client');
    if (this.peer.headerTableBytes < TABLE_BYTES)
      throw new Error(
        `a header table of ${this.peer.headerTableBytes} bytes, which prepared messages do not fit`,
      );
    this.#write(FrameType.SETTINGS, Flag.ACK, EMPTY);
  }

  goaway(): void {
    this.#write(FrameType.GOAWAY, 0, Buffer.alloc(8));
  }

  #credit(bytes: number): void {
    const payload = Buffer.alloc(4);
    writeUint32(payload, 0, bytes);
    this.#write(FrameType.WINDOW_UPDATE, 0, payload);
  }

  #write(type: number, flags: number, payload: Buffer): void {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
    writeFrameHeader(frame, 0, payload.length, type, flags, 0);
    payload.copy(frame, FRAME_HEADER_BYTES);
    this.#channel.write(frame);
  }
}

const EMPTY = Buffer.alloc(0);
