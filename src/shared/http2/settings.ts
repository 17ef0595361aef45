import { ErrorCode, Http2ConnectionError } from './error-code.ts';
import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  MAX_WINDOW_BYTES,
  readUint32,
  writeUint32,
} from './frame.ts';
import type { Http2Options } from './options.ts';

/** RFC 9113 §6.5.2, RFC 8441 §3. */
export const SettingId = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
  ENABLE_CONNECT_PROTOCOL: 0x8,
} as const;

export const SETTING_BYTES = 6;
/** More than any sender has use for; each is cheap, but a frame of them may be a megabyte. */
export const MAX_SETTINGS_PER_FRAME = 64;

/** What the peer has told us; the protocol's defaults before. */
export interface PeerSettings {
  headerTableBytes: number;
  maxConcurrentStreams: number;
  windowBytes: number;
  maxFrameBytes: number;
  maxHeaderListBytes: number;
  connectProtocol: boolean;
}

export function initialPeerSettings(assumedPeerStreams: number): PeerSettings {
  return {
    headerTableBytes: 4096,
    maxConcurrentStreams: assumedPeerStreams,
    windowBytes: DEFAULT_WINDOW_BYTES,
    maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
    maxHeaderListBytes: Number.POSITIVE_INFINITY,
    connectProtocol: false,
  };
}

/** Payload of the SETTINGS that begin a connection. */
export function encodeSettings(role: 'client' | 'server', options: Http2Options): Buffer {
  const announcesConnect = role === 'server' && options.enableConnectProtocol;
  const payload = Buffer.alloc((announcesConnect ? 6 : 5) * SETTING_BYTES);
  writeSetting(payload, 0, SettingId.HEADER_TABLE_SIZE, options.headerTableBytes);
  writeSetting(payload, 1, SettingId.INITIAL_WINDOW_SIZE, options.streamWindowBytes);
  writeSetting(payload, 2, SettingId.MAX_FRAME_SIZE, options.maxFrameBytes);
  writeSetting(payload, 3, SettingId.MAX_HEADER_LIST_SIZE, options.maxHeaderListBytes);
  if (role === 'client') writeSetting(payload, 4, SettingId.ENABLE_PUSH, 0);
  else writeSetting(payload, 4, SettingId.MAX_CONCURRENT_STREAMS, options.maxConcurrentStreams);
  if (announcesConnect) writeSetting(payload, 5, SettingId.ENABLE_CONNECT_PROTOCOL, 1);
  return payload;
}

function writeSetting(payload: Buffer, index: number, id: number, value: number): void {
  payload[index * SETTING_BYTES + 1] = id;
  writeUint32(payload, index * SETTING_BYTES + 2, value);
}

/**
 * Applies a SETTINGS payload to `settings`, in order; unknown ids are ignored. Throws Http2ConnectionError for a value
 * out of range (RFC 9113 §6.5.2).
 */
export function applySettings(
  settings: PeerSettings,
  payload: Buffer,
  start: number,
  end: number,
  peerIsServer: boolean,
): void {
  for (let at = start; at < end; at += SETTING_BYTES) {
    const id = ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0);
    applySetting(settings, id, readUint32(payload, at + 2), peerIsServer);
  }
}

function applySetting(settings: PeerSettings, id: number, value: number, peerIsServer: boolean): void {
  switch (id) {
    case SettingId.HEADER_TABLE_SIZE:
      settings.headerTableBytes = value;
      return;
    case SettingId.ENABLE_PUSH:
      if (value > 1 || (peerIsServer && value === 1)) throw outOfRange('ENABLE_PUSH', value);
      return;
    case SettingId.MAX_CONCURRENT_STREAMS:
      settings.maxConcurrentStreams = value;
      return;
    case SettingId.INITIAL_WINDOW_SIZE:
      if (value > MAX_WINDOW_BYTES) {
        throw outOfRange('INITIAL_WINDOW_SIZE', value, ErrorCode.FLOW_CONTROL_ERROR);
      }
      settings.windowBytes = value;
      return;
    case SettingId.MAX_FRAME_SIZE:
      if (value < DEFAULT_MAX_FRAME_BYTES || value >= 2 ** 24) throw outOfRange('MAX_FRAME_SIZE', value);
      settings.maxFrameBytes = value;
      return;
    case SettingId.MAX_HEADER_LIST_SIZE:
      settings.maxHeaderListBytes = value;
      return;
    case SettingId.ENABLE_CONNECT_PROTOCOL:
      // RFC 8441 §3: once offered it cannot be taken back.
      if (value > 1 || (settings.connectProtocol && value === 0))
        throw outOfRange('ENABLE_CONNECT_PROTOCOL', value);
      settings.connectProtocol = value === 1;
      return;
    default:
  }
}

function outOfRange(
  name: string,
  value: number,
  code: number = ErrorCode.PROTOCOL_ERROR,
): Http2ConnectionError {
  return new Http2ConnectionError(code, `SETTINGS_${name} of ${value} is out of range`);
}
