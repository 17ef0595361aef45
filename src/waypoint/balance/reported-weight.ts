import type { HeaderList } from '#shared/http/headers.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { LoadReports } from '#shared/route/traffic-policy.ts';
import { type LoadReport, readLoadReport } from './load-report.ts';

const MIN_WEIGHT = 0.001;
const MAX_WEIGHT = 2 ** 32 - 1;

/**
 * How much one endpoint can take, by what it reports of itself with its answers: the requests a second it would serve if it
 * were fully used.
 */
export class ReportedWeight {
  readonly #clock: Clock;
  readonly #reports: LoadReports;
  #weight = 0;
  /** The first of the reports that came without a long pause; undefined: there is none to go by. */
  #sinceMs: number | undefined;
  #updatedMs = 0;

  constructor(clock: Clock, reports: LoadReports) {
    this.#clock = clock;
    this.#reports = reports;
  }

  /** Headers or trailers of an answer have come. */
  observe(fields: HeaderList): void {
    const report = readLoadReport(fields);
    const weight = report && weightOf(report, this.#reports);
    if (weight === undefined) return;
    const nowMs = this.#clock.monotonic();
    if (this.#isExpired(nowMs)) this.#sinceMs = undefined;
    this.#sinceMs ??= nowMs;
    this.#updatedMs = nowMs;
    this.#weight = weight;
  }

  /** Undefined: it has not reported for long enough, or not for too long. */
  weight(nowMs: number): number | undefined {
    if (this.#sinceMs === undefined || this.#isExpired(nowMs)) return undefined;
    return nowMs - this.#sinceMs < this.#reports.stabilizationMs ? undefined : this.#weight;
  }

  get current(): number | undefined {
    return this.weight(this.#clock.monotonic());
  }

  #isExpired(nowMs: number): boolean {
    return nowMs - this.#updatedMs > this.#reports.expirationMs;
  }
}

/** @returns undefined where the report says too little to go by. */
export function weightOf(report: LoadReport, reports: LoadReports): number | undefined {
  const perSecond = report.get('rps_fractional') ?? 0;
  if (!(perSecond > 0)) return undefined;
  const errors = reports.errorPenalty * ((report.get('eps') ?? 0) / perSecond);
  const utilization = utilizationOf(report, reports.metrics) + errors;
  return utilization > 0 ? clamp(perSecond / utilization) : undefined;
}

/** Never nothing: who gets no request reports nothing, and could not come back. */
function clamp(weight: number): number {
  return Math.min(MAX_WEIGHT, Math.max(MIN_WEIGHT, weight));
}

function utilizationOf(report: LoadReport, metrics: readonly string[]): number {
  const named = Math.max(0, ...metrics.map(name => largest(report, name)));
  if (named > 0) return named;
  const application = report.get('application_utilization') ?? 0;
  return application > 0 ? application : (report.get('cpu_utilization') ?? 0);
}

/** @param name may end with `.*` */
function largest(report: LoadReport, name: string): number {
  if (!name.endsWith('.*')) return report.get(name) ?? 0;
  const prefix = name.slice(0, -1);
  return Math.max(0, ...[...report].map(([key, value]) => (key.startsWith(prefix) ? value : 0)));
}

/** Of the endpoints of a group. Who has none gets the median of the others, so that it is neither spared nor favoured. */
export function completeWeights(known: readonly (number | undefined)[]): readonly number[] {
  const sorted = known.filter(weight => weight !== undefined).sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] ?? 1) + (sorted[Math.floor(middle)] ?? 1)) / 2;
  return known.map(weight => weight ?? median);
}
