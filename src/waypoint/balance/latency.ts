import type { HeaderList } from '#shared/http/headers.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { FailurePenalty } from '#shared/route/traffic-policy.ts';
import { retryHintMs } from './retry-hint.ts';

/** As Linkerd: how fast an old peak is forgotten, and what an endpoint nobody has tried is taken for. */
const DECAY_MS = 10_000;
const DEFAULT_RTT_MS = 30;
/** Where no penalty is set: an endpoint that says it is overloaded is avoided as if it had taken so long. */
const OVERLOADED_RTT_MS = 5_000;

/**
 * Response time of one endpoint as a peak-sensitive moving average: a slower response counts at once and in full, faster
 * ones bring it down over `DECAY_MS`, and so does time in which nothing is sent.
 */
export class Latency {
  readonly #clock: Clock;
  readonly #penalty: FailurePenalty | undefined;
  #estimateMs = DEFAULT_RTT_MS;
  #updatedMs: number;

  constructor(clock: Clock, penalty: FailurePenalty | undefined) {
    this.#clock = clock;
    this.#penalty = penalty;
    this.#updatedMs = clock.monotonic();
  }

  /** When a try begins, to be given to `observe`. */
  start(): number {
    return this.#clock.monotonic();
  }

  /**
   * The head of a response has come. A failure is not taken for speed: it counts only if it was slow, or is to be punished.
   *
   * @param status of gRPC the one its status stands for
   */
  observe(startMs: number, status: number, headers: HeaderList): void {
    const nowMs = this.#clock.monotonic();
    const tookMs = Math.max(nowMs - startMs, this.#leastMs(status, headers));
    if (status >= 500) this.#atLeast(tookMs);
    else {
      const kept = tookMs > this.#estimateMs ? 0 : Math.exp((this.#updatedMs - nowMs) / DECAY_MS);
      this.#estimateMs = this.#estimateMs * kept + tookMs * (1 - kept);
      this.#updatedMs = nowMs;
    }
  }

  /** A response that began well has ended. How long it took is no latency: a failure counts as what it is punished with. */
  observeEnd(status: number, trailers: HeaderList): void {
    this.#atLeast(this.#leastMs(status, trailers));
  }

  /** The try failed without a response: the endpoint must not look fast for failing fast. */
  observeFailure(startMs: number): void {
    this.#atLeast(this.#clock.monotonic() - startMs);
  }

  /** In ms, as of `nowMs`. */
  estimate(nowMs: number): number {
    return this.#estimateMs * Math.exp((this.#updatedMs - nowMs) / DECAY_MS);
  }

  #atLeast(tookMs: number): void {
    const nowMs = this.#clock.monotonic();
    if (tookMs <= this.estimate(nowMs)) return;
    this.#estimateMs = tookMs;
    this.#updatedMs = nowMs;
  }

  #leastMs(status: number, fields: HeaderList): number {
    if (status < 500 && status !== 429) return 0;
    const penalty = this.#penalty;
    if (penalty === undefined) return status === 429 ? OVERLOADED_RTT_MS : 0;
    const askedMs = retryHintMs(status, fields, this.#clock.now());
    return Math.max(penalty.penaltyMs, Math.min(askedMs, penalty.maxRetryAfterMs));
  }
}
