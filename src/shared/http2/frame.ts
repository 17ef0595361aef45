/** RFC 9113 §6. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export const Flag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** No bytes: one object for all who have none. */
export const EMPTY: Buffer = Buffer.alloc(0);

export const FRAME_HEADER_BYTES = 9;

/** Plaintext of a TLS record at most (RFC 8446 §5.1). */
const RECORD_BYTES = 16_384;

/**
 * The largest payload up to `limit` that fills whole TLS records together with its header: nine bytes more would be a record,
 * a packet and a wake-up of their own.
 */
export function wholeRecordsPayload(limit: number): number {
  const withHeader = limit + FRAME_HEADER_BYTES;
  return withHeader < RECORD_BYTES ? limit : withHeader - (withHeader % RECORD_BYTES) - FRAME_HEADER_BYTES;
}

/** SETTINGS_MAX_FRAME_SIZE and SETTINGS_INITIAL_WINDOW_SIZE before any SETTINGS (RFC 9113 §6.5.2). */
export const DEFAULT_MAX_FRAME_BYTES = 16_384;
export const DEFAULT_WINDOW_BYTES = 65_535;
export const MAX_WINDOW_BYTES = 2 ** 31 - 1;
export const MAX_STREAM_ID = 2 ** 31 - 1;

/** RFC 9113 §3.4. */
export const CLIENT_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** RFC 9113 §4.1. */
export function writeFrameHeader(
  out: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  out[at] = length >>> 16;
  out[at + 1] = length >>> 8;
  out[at + 2] = length;
  out[at + 3] = type;
  out[at + 4] = flags;
  writeUint32(out, at + 5, streamId);
}

export function writeUint32(out: Buffer, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

/** The value without its reserved top bit, as stream ids and window increments are read. */
export function readUint31(input: Buffer, at: number): number {
  return readUint32(input, at) & 0x7fff_ffff;
}

export function readUint32(input: Buffer, at: number): number {
  const high = ((input[at] ?? 0) << 24) | ((input[at + 1] ?? 0) << 16);
  return (high | ((input[at + 2] ?? 0) << 8) | (input[at + 3] ?? 0)) >>> 0;
}
