import type { ClusterSnapshot } from './cluster-snapshot.ts';

/** What a check found. Problems are whole sentences that name the object and what to do. */
export type Outcome =
  | { readonly state: 'ok'; readonly detail?: string }
  | { readonly state: 'failed'; readonly problems: readonly string[] }
  /** It could not be looked at; that is not the same as all being well. */
  | { readonly state: 'unknown'; readonly reason: string };

/** One thing that has to hold. Pure: it judges what was gathered. */
export interface Check {
  readonly category: string;
  /** Stable; also the anchor of its section in docs/debugging.md. */
  readonly id: string;
  readonly description: string;
  /** fatal: the mesh does not work, or not safely; warning: it may not tomorrow. */
  readonly severity: 'fatal' | 'warning';
  readonly run: (snapshot: ClusterSnapshot) => Outcome;
}

export interface CheckResult {
  readonly category: string;
  readonly id: string;
  readonly description: string;
  readonly severity: 'fatal' | 'warning';
  readonly outcome: Outcome;
}

export const OK: Outcome = { state: 'ok' };

export function ok(detail: string): Outcome {
  return { state: 'ok', detail };
}

export function unknown(reason: string): Outcome {
  return { state: 'unknown', reason };
}

/** All is well when there are no problems. */
export function noneOf(problems: readonly string[], detail?: string): Outcome {
  if (problems.length > 0) return { state: 'failed', problems };
  return detail === undefined ? OK : ok(detail);
}

export function runChecks(checks: readonly Check[], snapshot: ClusterSnapshot): CheckResult[] {
  return checks.map(({ run, ...check }) => ({ ...check, outcome: run(snapshot) }));
}

/** The command's exit status: warnings, and what could not be looked at, do not count. */
export function hasFatal(results: readonly CheckResult[]): boolean {
  return results.some(r => r.severity === 'fatal' && r.outcome.state === 'failed');
}
