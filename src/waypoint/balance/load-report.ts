import { getHeader, type HeaderList } from '#shared/http/headers.ts';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { bytesOf, ProtoError, readProto, textOf } from '../callout/proto-reader.ts';

/**
 * What an endpoint says of its load with an answer (ORCA, `xds.data.orca.v3.OrcaLoadReport`): values by the names that
 * configurations call them by, such as `cpu_utilization` and `named_metrics.queue`. A value of 0 may be missing.
 */
export type LoadReport = ReadonlyMap<string, number>;

/** By field number. */
const SCALARS: ReadonlyMap<number, string> = new Map([
  [1, 'cpu_utilization'],
  [2, 'mem_utilization'],
  [6, 'rps_fractional'],
  [7, 'eps'],
  [9, 'application_utilization'],
]);
const MAPS: ReadonlyMap<number, string> = new Map([
  [4, 'request_cost'],
  [5, 'utilization'],
  [8, 'named_metrics'],
]);
const SCALAR_NAMES: ReadonlySet<string> = new Set(SCALARS.values());
const MAP_NAMES: ReadonlySet<string> = new Set(MAPS.values());
/** A longer one is no report but a burden. */
const MAX_LENGTH = 8192;

/** @param fields headers or trailers. @returns undefined where there is none, or one that cannot be read as a whole */
export function readLoadReport(fields: HeaderList): LoadReport | undefined {
  const binary = getHeader(fields, 'endpoint-load-metrics-bin');
  const text = binary === undefined ? getHeader(fields, 'endpoint-load-metrics') : `BIN ${binary}`;
  if (text === undefined || text.length > MAX_LENGTH) return undefined;
  const [, form, content = ''] = /^(BIN|TEXT|JSON) (.+)$/.exec(text) ?? [];
  switch (form) {
    case 'BIN':
      return fromProto(Buffer.from(content, 'base64'));
    case 'TEXT':
      return fromText(content);
    case 'JSON':
      return fromJson(content);
    default:
      return undefined;
  }
}

/** `cpu_utilization=0.3, named_metrics.queue=7`, also with colons. */
function fromText(text: string): LoadReport | undefined {
  const report = new Map<string, number>();
  for (const entry of text.split(',')) {
    const [, name = '', digits = ''] = /^\s*([^=:\s]+)\s*[=:]\s*([-+.\deE]+)\s*$/.exec(entry) ?? [];
    const value = Number(digits);
    if (!isMetric(name) || digits === '' || !Number.isFinite(value) || report.has(name)) return undefined;
    report.set(name, value);
  }
  return report;
}

function isMetric(name: string): boolean {
  const dot = name.indexOf('.');
  return dot < 0 ? SCALAR_NAMES.has(name) : MAP_NAMES.has(name.slice(0, dot)) && dot + 1 < name.length;
}

/** Names as in the message or in lowerCamelCase; what is not known is passed over. */
function fromJson(text: string): LoadReport | undefined {
  const parsed = parsedOrNothing(text);
  if (!isJsonObject(parsed)) return undefined;
  const report = new Map<string, number>();
  for (const [key, value] of Object.entries(parsed)) {
    const name = key.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
    if (SCALAR_NAMES.has(name) && typeof value === 'number') report.set(name, value);
    else if (MAP_NAMES.has(name) && isJsonObject(value)) {
      for (const [of, number] of Object.entries(value))
        if (typeof number === 'number') report.set(`${name}.${of}`, number);
    }
  }
  return report;
}

function parsedOrNothing(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function fromProto(message: Buffer): LoadReport | undefined {
  const report = new Map<string, number>();
  try {
    readProto(message, field => {
      const scalar = SCALARS.get(field.number);
      const map = MAPS.get(field.number);
      if (scalar !== undefined) report.set(scalar, field.value);
      else if (map !== undefined)
        readEntry(bytesOf(field), (name, value) => report.set(`${map}.${name}`, value));
    });
  } catch (error) {
    if (error instanceof ProtoError) return undefined;
    throw error;
  }
  return report.size === 0 || [...report.values()].some(value => !Number.isFinite(value))
    ? undefined
    : report;
}

function readEntry(entry: Buffer, take: (name: string, value: number) => void): void {
  let name = '';
  let value = 0;
  readProto(entry, field => {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 2) ({ value } = field);
  });
  take(name, value);
}
