import { isJsonObject, parseJson } from '#shared/config/json.ts';

/** What becomes of a connection: some requests and an end in order, a half-close, a reset between or in requests, silence. */
export const CONDUCTS = ['orderly', 'half_close', 'reset', 'reset_early', 'silent'] as const;
export type Conduct = (typeof CONDUCTS)[number];

export interface ChurnReport {
  readonly counts: Readonly<Record<string, number>>;
  /** Connections that did not go as they must; it stops early when there are many. */
  readonly faults: readonly string[];
}

/** @throws when it is none */
export function parseChurnReport(output: string): ChurnReport {
  const line = output.trim().split('\n').at(-1) ?? '';
  const value = line.startsWith('{') ? parseJson(line) : undefined;
  const faults = isJsonObject(value) ? value['faults'] : undefined;
  const counts = isJsonObject(value) ? value['counts'] : undefined;
  if (!Array.isArray(faults) || !isJsonObject(counts))
    throw new Error(`the churn said nothing: ${output.trim().slice(-300)}`);
  return {
    counts: Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, Number(count)])),
    faults: faults.map(String),
  };
}

export function total({ counts }: ChurnReport): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
