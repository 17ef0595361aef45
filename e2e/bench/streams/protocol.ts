/** What a tunnel of the streams bench leads to. */
export const ECHO_PORT = 1;
/** Sends without end. */
export const FLOOD_PORT = 2;
export const STREAMS = 2_000;

export interface WindowResult {
  readonly answers: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What the client measured, in turns: with everyone reading, and with one who reads slowly. */
export interface StreamsResult {
  readonly connections: number;
  readonly without: readonly WindowResult[];
  readonly with: readonly WindowResult[];
  /** Bytes that the slow reader took. */
  readonly slowBytes: number;
}
