import { isJsonObject, parseJson } from '#shared/config/json.ts';

/** What one replica of the controller knows of the proxies and the roots of a moment. */
export interface TrustReport {
  /** Of the trust state that is meant. */
  readonly version: string;
  /** Proxies that have these roots. */
  readonly confirmed: readonly string[];
  /** Proxies that are connected and may not have them yet, or were connected and are gone. */
  readonly unconfirmed: readonly string[];
}

/** A ConfigMap holds 1 MiB; what is left out counts as not confirmed, and is waited for. */
const MAX_REPORT_CHARS = 300_000;

export function formatTrustReport({ confirmed, unconfirmed, version }: TrustReport): string {
  // The unconfirmed ones first: a confirmation that is left out delays a rotation, the opposite would break one.
  const kept = { version, unconfirmed, confirmed: [...confirmed] };
  let text = JSON.stringify(kept);
  while (text.length > MAX_REPORT_CHARS && kept.confirmed.length > 0) {
    kept.confirmed.length = Math.floor(kept.confirmed.length / 2);
    text = JSON.stringify(kept);
  }
  return text;
}

/** Undefined when it is no report. */
export function parseTrustReport(text: string): TrustReport | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || typeof value['version'] !== 'string') return undefined;
  const confirmed = strings(value['confirmed']);
  const unconfirmed = strings(value['unconfirmed']);
  if (confirmed === undefined || unconfirmed === undefined) return undefined;
  return { version: value['version'], confirmed, unconfirmed };
}

/**
 * Whom the roots of `version` still have to reach, by the reports of every replica that runs. A proxy that one replica lost
 * and another one has is where it is now; a replica that has not said what it knows is waited for as its proxies are.
 */
export function unconfirmedProxies(
  version: string,
  reports: ReadonlyMap<string, TrustReport | undefined>,
): readonly string[] {
  const confirmed = new Set<string>();
  const waiting = new Set<string>();
  for (const [replica, report] of reports) {
    if (report?.version !== version) {
      waiting.add(`the proxies of ${replica}, which has not reported yet`);
      continue;
    }
    for (const proxy of report.confirmed) confirmed.add(proxy);
    for (const proxy of report.unconfirmed) waiting.add(proxy);
  }
  return [...waiting].filter(proxy => !confirmed.has(proxy)).sort();
}

function strings(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: unknown[] = value;
  const found = items.filter(item => typeof item === 'string');
  return found.length === items.length ? found : undefined;
}
