import type { Clock } from '#shared/lifecycle/clock.ts';

/** As Linkerd: how fast an old peak is forgotten, and what an endpoint nobody has tried is taken for. */
const DECAY_MS = 10_000;
const DEFAULT_RTT_MS = 30;
/** An endpoint that says it is overloaded is avoided as if it had taken so long. */
const OVERLOADED_RTT_MS = 5_000;

/**
 * Response time of one endpoint as a peak-sensitive moving average: a slower response counts at once and in full, faster
 * ones bring it down over `DECAY_MS`, and so does time in which nothing is sent.
 */
export class Latency {
  readonly #clock: Clock;
  #estimateMs = DEFAULT_RTT_MS;
  #updatedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#updatedMs = clock.monotonic();
  }

  /** When a try begins, to be given to `observe`. */
  start(): number {
    return this.#clock.monotonic();
  }

  /** The head of a response has come. A failure is not taken for speed: it counts only if it was slow. */
  observe(startMs: number, status: number): void {
    const nowMs = this.#clock.monotonic();
    const tookMs = status === 429 ? Math.max(OVERLOADED_RTT_MS, nowMs - startMs) : nowMs - startMs;
    if (tookMs > this.#estimateMs) this.#estimateMs = tookMs;
    else if (status < 500) {
      const kept = Math.exp((this.#updatedMs - nowMs) / DECAY_MS);
      this.#estimateMs = this.#estimateMs * kept + tookMs * (1 - kept);
    } else return;
    this.#updatedMs = nowMs;
  }

  /** The try failed without a response: the endpoint must not look fast for failing fast. */
  observeFailure(startMs: number): void {
    this.observe(startMs, 503);
  }

  /** In ms, as of `nowMs`. */
  estimate(nowMs: number): number {
    return this.#estimateMs * Math.exp((this.#updatedMs - nowMs) / DECAY_MS);
  }
}
