/**
 * Metrics of one thread, without prom-client: a family hands out a cell for each set of label values, the caller keeps the
 * cell, and the hot path is an addition to a number. The main thread gathers `snapshot()`s of all threads (`metrics.ts`).
 */
export interface Cell {
  value: number;
}

export interface HistogramCell {
  readonly counts: Float64Array;
  sum: number;
  observe(value: number): void;
}

export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Series beyond this many share one whose label values are all `other`. Default 10,000. */
  readonly maxSeries?: number;
}

export interface HistogramOptions extends FamilyOptions {
  /** Upper bounds, ascending, without +Inf. */
  readonly buckets: readonly number[];
}

/** Plain data, fit for a structured clone. */
export interface FamilySnapshot {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly buckets: readonly number[];
  readonly series: readonly SeriesSnapshot[];
  /** How many label sets were folded into `other`. */
  readonly overflowed: number;
}

export interface SeriesSnapshot {
  readonly labelValues: readonly string[];
  readonly value: number;
  readonly bucketCounts: Float64Array | undefined;
}

const DEFAULT_MAX_SERIES = 10_000;
/** Cannot occur in a label value that came from a Kubernetes name or an identity. */
const SEPARATOR = '\u0000';

class Family<C> {
  readonly options: FamilyOptions;
  readonly cells = new Map<string, { readonly labelValues: readonly string[]; readonly cell: C }>();
  overflowed = 0;
  readonly #make: () => C;

  constructor(options: FamilyOptions, make: () => C) {
    this.options = options;
    this.#make = make;
  }

  /** The cell for these label values (in the order of `labels`). Keep it: looking it up costs a string and a map access. */
  cell(labelValues: readonly string[]): C {
    const key = labelValues.join(SEPARATOR);
    const found = this.cells.get(key);
    if (found !== undefined) return found.cell;
    if (labelValues.length !== this.options.labels.length) {
      throw new Error(
        `metric ${this.options.name} takes ${this.options.labels.length} labels, not ${labelValues.length}`,
      );
    }
    if (this.cells.size >= (this.options.maxSeries ?? DEFAULT_MAX_SERIES)) return this.#overflow();
    return this.#add(key, labelValues);
  }

  #overflow(): C {
    this.overflowed++;
    const labelValues = this.options.labels.map(() => 'other');
    const key = labelValues.join(SEPARATOR);
    return this.cells.get(key)?.cell ?? this.#add(key, labelValues);
  }

  #add(key: string, labelValues: readonly string[]): C {
    const cell = this.#make();
    this.cells.set(key, { labelValues: [...labelValues], cell });
    return cell;
  }

  /** Forgets series, for a gauge whose subject is gone. Cells handed out earlier no longer count. */
  remove(labelValues: readonly string[]): void {
    this.cells.delete(labelValues.join(SEPARATOR));
  }
}

export type CellFamily = Family<Cell>;
export type HistogramFamily = Family<HistogramCell>;

export class MetricSet {
  readonly #counters: CellFamily[] = [];
  readonly #gauges: CellFamily[] = [];
  readonly #histograms: { readonly family: HistogramFamily; readonly buckets: readonly number[] }[] = [];

  counter(options: FamilyOptions): CellFamily {
    return register(this.#counters, new Family<Cell>(options, () => ({ value: 0 })));
  }

  gauge(options: FamilyOptions): CellFamily {
    return register(this.#gauges, new Family<Cell>(options, () => ({ value: 0 })));
  }

  histogram(options: HistogramOptions): HistogramFamily {
    const bounds = Float64Array.from(options.buckets);
    const family = new Family<HistogramCell>(options, () => new BucketCell(bounds));
    this.#histograms.push({ family, buckets: options.buckets });
    return family;
  }

  snapshot(): FamilySnapshot[] {
    return [
      ...this.#counters.map(f => cellSnapshot(f, 'counter')),
      ...this.#gauges.map(f => cellSnapshot(f, 'gauge')),
      ...this.#histograms.map(h => histogramSnapshot(h.family, h.buckets)),
    ];
  }
}

function register(list: CellFamily[], family: CellFamily): CellFamily {
  list.push(family);
  return family;
}

class BucketCell implements HistogramCell {
  /** One for each bound and a last one for what is above them all; not cumulative. */
  readonly counts: Float64Array;
  sum = 0;
  readonly #bounds: Float64Array;

  constructor(bounds: Float64Array) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let i = 0;
    while (i < bounds.length && value > (bounds[i] ?? Number.POSITIVE_INFINITY)) i++;
    this.counts[i] = (this.counts[i] ?? 0) + 1;
    this.sum += value;
  }
}

function cellSnapshot(family: CellFamily, kind: 'counter' | 'gauge'): FamilySnapshot {
  const series = [...family.cells.values()].map(({ labelValues, cell }) => ({
    labelValues,
    value: cell.value,
    bucketCounts: undefined,
  }));
  return { ...describe(family), kind, buckets: [], series };
}

function histogramSnapshot(family: HistogramFamily, buckets: readonly number[]): FamilySnapshot {
  const series = [...family.cells.values()].map(({ labelValues, cell }) => ({
    labelValues,
    value: cell.sum,
    bucketCounts: cell.counts.slice(),
  }));
  return { ...describe(family), kind: 'histogram', buckets, series };
}

function describe<C>(family: Family<C>): Pick<FamilySnapshot, 'name' | 'help' | 'labels' | 'overflowed'> {
  return {
    name: family.options.name,
    help: family.options.help,
    labels: family.options.labels,
    overflowed: family.overflowed,
  };
}
