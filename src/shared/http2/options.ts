/**
 * Every number a connection goes by. Windows and keepalive are the defaults of HBONE peers; the rest are bounds whose
 * excess ends the connection with GOAWAY ENHANCE_YOUR_CALM, each named in the debug text.
 */
export interface Http2Options {
  /** Receive window of each stream (SETTINGS_INITIAL_WINDOW_SIZE). Smaller than the connection's, or peers can deadlock. */
  readonly streamWindowBytes: number;
  /** Receive window of the connection. */
  readonly connectionWindowBytes: number;
  /**
   * Connection credit is returned on receipt while no more than this is delivered but unconsumed over all streams;
   * above it, only as the application consumes. One slow reader (at most `streamWindowBytes`) so never reaches it.
   */
  readonly maxUnconsumedBytes: number;
  /** Largest frame we accept (SETTINGS_MAX_FRAME_SIZE). */
  readonly maxFrameBytes: number;
  /** Largest DATA frame we send, peer permitting: the quantum of fairness between streams. */
  readonly maxSendFrameBytes: number;
  /** Streams a client may hold open on our server (SETTINGS_MAX_CONCURRENT_STREAMS). */
  readonly maxConcurrentStreams: number;
  /** Client: streams opened before the peer has said how many it takes. */
  readonly assumedPeerStreams: number;
  /** Decoded size of one header list, counted as RFC 9113 §6.5.2 does (SETTINGS_MAX_HEADER_LIST_SIZE). */
  readonly maxHeaderListBytes: number;
  /** Encoded size of one header block over HEADERS and CONTINUATION. */
  readonly maxHeaderBlockBytes: number;
  readonly maxContinuationFrames: number;
  /** Decoder's dynamic table (SETTINGS_HEADER_TABLE_SIZE), and the most our encoder uses of the peer's. */
  readonly headerTableBytes: number;
  /** Announces extended CONNECT (RFC 8441). */
  readonly enableConnectProtocol: boolean;
  /** Bytes queued on one stream before a producer that ignores backpressure has its stream reset. */
  readonly maxPendingBytes: number;
  /** Bytes of frames other than DATA written while the peer does not read. */
  readonly maxControlBacklogBytes: number;
  readonly settingsAckTimeoutMs: number;
  /** 0 switches keepalive off. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /**
   * A stream whose queue makes no progress for this long is reset, and a connection whose peer reads nothing is cut off;
   * 0 lets them wait (tunnels: the far application may).
   */
  readonly sendStallTimeoutMs: number;
  /** Between the two GOAWAYs of a graceful drain, if the PING between them is not answered sooner. */
  readonly drainGraceMs: number;
  readonly floodLimits: FloodLimits;
}

/** Token buckets: `burst` at once, refilled by `perSecond`. */
export interface FloodLimit {
  readonly burst: number;
  readonly perSecond: number;
}

export interface FloodLimits {
  /** RST_STREAM for requests not answered yet (CVE-2023-44487). */
  readonly prematureResets: FloodLimit;
  /** RST_STREAM of any kind. */
  readonly resets: FloodLimit;
  /** Resets the peer provokes from us by breaking stream rules (CVE-2025-8671). */
  readonly streamErrors: FloodLimit;
  readonly settings: FloodLimit;
  readonly pings: FloodLimit;
  /** DATA without payload that does not end the stream. */
  readonly emptyData: FloodLimit;
  /** Earned back by the bytes we send, so that it bites only where credit comes in crumbs. */
  readonly windowUpdates: FloodLimit;
  readonly priorities: FloodLimit;
  /** Frame types we do not know. */
  readonly unknownFrames: FloodLimit;
}

const MIB = 1024 * 1024;

export const DEFAULT_FLOOD_LIMITS: FloodLimits = {
  prematureResets: { burst: 500, perSecond: 50 },
  resets: { burst: 20_000, perSecond: 5_000 },
  streamErrors: { burst: 200, perSecond: 20 },
  settings: { burst: 100, perSecond: 10 },
  // Peers that estimate bandwidth send a PING each round trip while data flows.
  pings: { burst: 1_000, perSecond: 500 },
  emptyData: { burst: 1_000, perSecond: 100 },
  windowUpdates: { burst: 10_000, perSecond: 1_000 },
  priorities: { burst: 1_000, perSecond: 100 },
  unknownFrames: { burst: 1_000, perSecond: 100 },
};

const DEFAULT_HTTP2_OPTIONS: Http2Options = {
  streamWindowBytes: 4 * MIB,
  connectionWindowBytes: 16 * MIB,
  maxUnconsumedBytes: 48 * MIB,
  maxFrameBytes: MIB,
  // What one read of a socket brings (shared/engine/native/read-memory.ts): it leaves as one frame.
  maxSendFrameBytes: 128 * 1024,
  maxConcurrentStreams: 100,
  assumedPeerStreams: 100,
  // A head of HTTP/1.1 at its limit, each field counted with 32 bytes more.
  maxHeaderListBytes: 88 * 1024,
  maxHeaderBlockBytes: 128 * 1024,
  maxContinuationFrames: 64,
  headerTableBytes: 4096,
  enableConnectProtocol: false,
  maxPendingBytes: 4 * MIB,
  maxControlBacklogBytes: MIB,
  settingsAckTimeoutMs: 10_000,
  pingIntervalMs: 10_000,
  pingTimeoutMs: 20_000,
  sendStallTimeoutMs: 300_000,
  drainGraceMs: 1_000,
  floodLimits: DEFAULT_FLOOD_LIMITS,
};

const resolved = new WeakMap<Partial<Http2Options>, Http2Options>();

/**
 * Fills in the defaults, once for each object: it is given for many connections and never changed. Throws RangeError naming
 * the option when a value cannot work on the wire.
 */
export function resolveHttp2Options(given: Partial<Http2Options>): Http2Options {
  const known = resolved.get(given);
  if (known !== undefined) return known;
  const options = withDefaults(given);
  resolved.set(given, options);
  return options;
}

function withDefaults(given: Partial<Http2Options>): Http2Options {
  const options: Http2Options = { ...DEFAULT_HTTP2_OPTIONS, ...given };
  requireRange('streamWindowBytes', options.streamWindowBytes, 1, 2 ** 31 - 1);
  requireRange('connectionWindowBytes', options.connectionWindowBytes, 65_535, 2 ** 31 - 1);
  requireRange('maxFrameBytes', options.maxFrameBytes, 16_384, 2 ** 24 - 1);
  requireRange('maxSendFrameBytes', options.maxSendFrameBytes, 1, 2 ** 24 - 1);
  requireRange('headerTableBytes', options.headerTableBytes, 0, 65_536);
  requireRange('maxConcurrentStreams', options.maxConcurrentStreams, 0, 2 ** 31 - 1);
  return options;
}

function requireRange(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`HTTP/2 option ${name} is ${value}: it must be a whole number from ${min} to ${max}`);
}
