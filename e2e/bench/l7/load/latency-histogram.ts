/** Of a millisecond. */
const TICKS_PER_MS = 10_000;
/** Buckets of each doubling: a value is told to within a 128th of itself. */
const STEPS = 128;
const STEP_BITS = 7;
const BUCKETS = (32 - STEP_BITS + 1) * STEPS;
const MAX_TICKS = 2 ** 32 - 1;

/**
 * How long requests took, in memory that does not grow: one counter for each tenth of a microsecond up to 12.8, and from there
 * on 128 for each doubling, up to seven minutes.
 */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  record(ms: number): void {
    const bucket = bucketOf(Math.min(MAX_TICKS, Math.max(0, Math.round(ms * TICKS_PER_MS))));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  /** The value that this share of all is below, in milliseconds: the middle of its bucket. NaN when nothing was recorded. */
  percentileMs(share: number): number {
    let left = Math.min(this.#total - 1, Math.floor(this.#total * share));
    for (const [bucket, count] of this.#counts.entries()) {
      if (left >= 0 && left < count) return middleOf(bucket) / TICKS_PER_MS;
      left -= count;
    }
    return Number.NaN;
  }
}

function bucketOf(ticks: number): number {
  if (ticks < STEPS) return ticks;
  const doublings = 31 - Math.clz32(ticks) - STEP_BITS;
  return (doublings + 1) * STEPS + (ticks >>> doublings) - STEPS;
}

function middleOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const doublings = Math.floor(bucket / STEPS) - 1;
  const width = 2 ** doublings;
  return ((bucket % STEPS) + STEPS) * width + (width - 1) / 2;
}
