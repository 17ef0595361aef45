import { parseDuration } from '#shared/config/env-reader.ts';

/** Which requests a tap shows: all fields that are set must agree. Plain data. */
export interface TapFilter {
  /** Of the service that is asked for. */
  readonly namespace: string | undefined;
  /** Name or host name of that service. */
  readonly service: string | undefined;
  /** Name of the client's pod, or of the workload it belongs to. */
  readonly source: string | undefined;
  readonly sourceNamespace: string | undefined;
  /** SPIFFE id that the client proved. */
  readonly sourceIdentity: string | undefined;
  readonly method: string | undefined;
  readonly authority: string | undefined;
  /** Prefix of the path, as the client sent it. */
  readonly path: string | undefined;
  readonly status: StatusRange | undefined;
}

/** Both inclusive. */
export interface StatusRange {
  readonly min: number;
  readonly max: number;
}

/** What somebody asked to watch. Plain data: it goes to every traffic thread. */
export interface TapRequest {
  readonly filter: TapFilter;
  /** Requests a second that are shown, of all threads together. */
  readonly maxPerSecond: number;
  /** Requests that are shown before the tap ends. */
  readonly limit: number;
  readonly durationMs: number;
  readonly headers: boolean;
}

export type ParsedTap =
  | { readonly ok: true; readonly request: TapRequest }
  | { readonly ok: false; readonly reason: string };

const MAX_PER_SECOND = 1_000;
const MAX_DURATION_MS = 3_600_000;
const MAX_LIMIT = 1_000_000;
const MAX_VALUE_LENGTH = 1_024;

const TEXTS = [
  'namespace',
  'service',
  'source',
  'source_namespace',
  'source_identity',
  'method',
  'authority',
  'path',
];
const ACCEPTED: readonly string[] = [...TEXTS, 'status', 'max_rps', 'limit', 'duration', 'headers'];

/** Reads the query of `/debug/tap`. Everything that is wrong is told at once. */
export function parseTap(query: URLSearchParams): ParsedTap {
  const wrong: string[] = [];
  for (const [name, value] of query) {
    if (!ACCEPTED.includes(name))
      wrong.push(`${name} is no parameter of a tap; there are ${ACCEPTED.join(', ')}`);
    else if (value === '' || value.length > MAX_VALUE_LENGTH)
      wrong.push(`${name} is empty or longer than ${MAX_VALUE_LENGTH} characters`);
  }
  const status = readStatus(query.get('status'), wrong);
  const maxPerSecond = readInteger(query, 'max_rps', 100, MAX_PER_SECOND, wrong);
  const limit = readInteger(query, 'limit', MAX_LIMIT, MAX_LIMIT, wrong);
  const durationMs = readDuration(query.get('duration'), wrong);
  const headers = readFlag(query.get('headers'), wrong);
  if (wrong.length > 0) return { ok: false, reason: wrong.join('\n') };
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const filter = {
    namespace: text('namespace'),
    service: text('service'),
    source: text('source'),
    sourceNamespace: text('source_namespace'),
    sourceIdentity: text('source_identity'),
    method: text('method')?.toUpperCase(),
    authority: text('authority'),
    path: text('path'),
    status,
  };
  return { ok: true, request: { filter, maxPerSecond, limit, durationMs, headers } };
}

/** `404`, or `5xx` for a class. */
function readStatus(value: string | null, wrong: string[]): StatusRange | undefined {
  if (value === null) return undefined;
  const match = /^([1-5])(xx|\d\d)$/i.exec(value);
  if (match === null) {
    wrong.push(`status ${JSON.stringify(value)} is not accepted; use a status (404) or a class (5xx)`);
    return undefined;
  }
  const hundreds = Number(match[1]) * 100;
  if (/^xx$/i.test(match[2] ?? '')) return { min: hundreds, max: hundreds + 99 };
  return { min: Number(value), max: Number(value) };
}

function readInteger(
  query: URLSearchParams,
  name: string,
  fallback: number,
  max: number,
  wrong: string[],
): number {
  const value = query.get(name);
  if (value === null) return fallback;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (number >= 1 && number <= max) return number;
  wrong.push(`${name} ${JSON.stringify(value)} is not accepted; use 1 to ${max}`);
  return fallback;
}

function readDuration(value: string | null, wrong: string[]): number {
  const ms = parseDuration(value ?? '1m') ?? 0;
  if (ms < 1 || ms > MAX_DURATION_MS)
    wrong.push(`duration ${JSON.stringify(value)} is not accepted; use 1s to 1h`);
  return ms;
}

function readFlag(value: string | null, wrong: string[]): boolean {
  if (value !== null && value !== 'true' && value !== 'false')
    wrong.push(`headers ${JSON.stringify(value)} is not accepted; use true or false`);
  return value === 'true';
}
