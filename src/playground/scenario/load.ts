import { isJsonObject, parseJson, type JsonObject } from '#shared/config/json.ts';
import type { ExecResult, MeshUnderTest } from './mesh-under-test.ts';

/** What `examples/shop/tools/load.ts` reports. */
export interface LoadReport {
  readonly total: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byVersion: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly lastBody: string;
}

const LOAD_TOOL = 'examples/shop/tools/load.ts';
const DEFAULT_TIMEOUT_MS = 60_000;

/** Runs the load tool in a pod. `options` are its flags without the leading dashes; `true` is a flag without a value. */
export async function load(
  mesh: MeshUnderTest,
  pod: string,
  url: string,
  options: Readonly<Record<string, string | number | true>> = {},
): Promise<LoadReport> {
  const flags = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
  const timeoutMs = DEFAULT_TIMEOUT_MS + Number(options['seconds'] ?? 0) * 1_000;
  return parseReport(await mesh.exec(pod, ['node', LOAD_TOOL, '--url', url, ...flags], timeoutMs));
}

/** A single request: its status (0 when there was no answer) and body. */
export async function request(
  mesh: MeshUnderTest,
  pod: string,
  url: string,
): Promise<{ status: number; body: string; error: string }> {
  const report = await load(mesh, pod, url);
  const status = Number(Object.keys(report.byStatus)[0] ?? '0');
  return { status, body: report.lastBody, error: Object.keys(report.errors)[0] ?? '' };
}

function parseReport(result: ExecResult): LoadReport {
  const line = result.stdout.trim().split('\n').at(-1) ?? '';
  const value = line.startsWith('{') ? parseJson(line) : undefined;
  if (!isJsonObject(value)) {
    throw new Error(`the load tool failed with status ${result.status}: ${result.stderr.trim().slice(-300)}`);
  }
  return {
    total: Number(value['total']),
    byStatus: counts(value, 'byStatus'),
    byVersion: counts(value, 'byVersion'),
    errors: counts(value, 'errors'),
    seconds: Number(value['seconds']),
    lastBody: typeof value['lastBody'] === 'string' ? value['lastBody'] : '',
  };
}

function counts(object: JsonObject, field: string): Record<string, number> {
  const value = object[field];
  return isJsonObject(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, Number(v)])) : {};
}

/** How many requests of a report were not answered with 200. */
export function failures(report: LoadReport): number {
  return report.total - (report.byStatus['200'] ?? 0);
}

export function describeFailures(report: LoadReport): string {
  return JSON.stringify({ byStatus: report.byStatus, errors: report.errors });
}
