/** Bounds on what one peer may make us hold. All sizes in bytes. */
export interface Http1Limits {
  /** Start line and all fields together. Beyond it: 431. */
  readonly maxHeadBytes: number;
  /** Method, target and version. Beyond it: 414. */
  readonly maxStartLineBytes: number;
  readonly maxFields: number;
  readonly maxTrailerBytes: number;
  /** Chunk extensions of one chunk; they are checked and dropped. */
  readonly maxChunkExtensionBytes: number;
  /** Body as sent, framing not counted; Infinity is none. Beyond it: 413. */
  readonly maxBodyBytes: number;
}

/** Head size: Envoy's default of 60 KiB is known to break users with large cookies, so a little more. */
export const DEFAULT_LIMITS: Http1Limits = Object.freeze({
  maxHeadBytes: 80 * 1024,
  maxStartLineBytes: 32 * 1024,
  maxFields: 256,
  maxTrailerBytes: 16 * 1024,
  maxChunkExtensionBytes: 256,
  maxBodyBytes: Number.POSITIVE_INFINITY,
});
