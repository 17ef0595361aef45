import { ErrorCode, Http2ConnectionError } from './error-code.ts';
import { Flag, FrameType } from './frame.ts';
import { MAX_SETTINGS_PER_FRAME, SETTING_BYTES } from './settings.ts';

/** Longest GOAWAY we read: ids, code and the beginning of the debug text. */
const MAX_GOAWAY_BYTES = 8 + 256;

/**
 * Checks length and stream id of a frame that is neither DATA nor part of a header block (RFC 9113 §6).
 * @returns how much of its payload is worth reading: 0 for frames that are ignored. Throws Http2ConnectionError.
 */
export function checkFrameHead(type: number, flags: number, streamId: number, length: number): number {
  switch (type) {
    case FrameType.SETTINGS:
      requireConnection('SETTINGS', streamId);
      return checkSettings(flags, length);
    case FrameType.PING:
      requireConnection('PING', streamId);
      return requireLength('PING', length, 8);
    case FrameType.GOAWAY:
      requireConnection('GOAWAY', streamId);
      if (length < 8) throw frameSize('GOAWAY', length);
      return Math.min(length, MAX_GOAWAY_BYTES);
    case FrameType.WINDOW_UPDATE:
      return requireLength('WINDOW_UPDATE', length, 4);
    case FrameType.RST_STREAM:
      requireStream('RST_STREAM', streamId);
      return requireLength('RST_STREAM', length, 4);
    case FrameType.PRIORITY:
      requireStream('PRIORITY', streamId);
      return length === 5 ? 5 : 0;
    case FrameType.PUSH_PROMISE:
      throw new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, 'PUSH_PROMISE, and push is not enabled');
    default:
      return 0;
  }
}

export function requireStream(name: string, streamId: number): void {
  if (streamId === 0) throw new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, `${name} on stream 0`);
}

function requireConnection(name: string, streamId: number): void {
  if (streamId !== 0)
    throw new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, `${name} on stream ${streamId}`);
}

function checkSettings(flags: number, length: number): number {
  if ((flags & Flag.ACK) !== 0) return requireLength('SETTINGS ACK', length, 0);
  if (length % SETTING_BYTES !== 0) throw frameSize('SETTINGS', length);
  if (length <= MAX_SETTINGS_PER_FRAME * SETTING_BYTES) return length;
  const text = `${length / SETTING_BYTES} settings in one frame when at most ${MAX_SETTINGS_PER_FRAME} are accepted`;
  throw new Http2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, text);
}

function requireLength(name: string, length: number, expected: number): number {
  if (length !== expected) throw frameSize(name, length);
  return length;
}

function frameSize(name: string, length: number): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${name} with a payload of ${length} bytes`);
}
