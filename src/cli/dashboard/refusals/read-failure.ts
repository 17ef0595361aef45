import { type JsonObject, parseJson } from '#shared/config/json.ts';
import { text } from '#shared/config/json-fields.ts';
import { readJsonLine } from '../../json-line.ts';

/** A line of an access log that tells of a connection or request that was refused, or failed. */
export interface LoggedFailure {
  readonly kind: 'denied' | 'failed';
  readonly atMs: number;
  readonly source: string;
  readonly sourceIdentity: string;
  readonly destination: string;
  /** Host name of the Service that was asked for, or empty. */
  readonly service: string;
  /** `GET /charge`, or empty. */
  readonly request: string;
  readonly reason: string;
  readonly policy: string;
  readonly rule: number | null;
  /** The client's ztunnel was told of it by the one that refused, which knows more. */
  readonly isEcho: boolean;
}

const FIELD = /([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)/g;
const MAX_CHARS = 300;

/** Undefined: a line of another kind, or of something that went well. Pure. */
export function readFailure(line: string): LoggedFailure | undefined {
  // Most lines by far are of what went well.
  if (!line.includes('error')) return undefined;
  const fields = line.startsWith('{') ? readJsonLine(line) : ofText(line);
  const reason = text(fields, 'error');
  if (text(fields, 'level') !== 'error' || text(fields, 'scope') !== 'access' || reason === '')
    return undefined;
  const atMs = Date.parse(text(fields, 'time'));
  if (Number.isNaN(atMs)) return undefined;
  const { policy, rule } = blamed(reason);
  return {
    kind: isDenial(reason, text(fields, 'response_flags')) ? 'denied' : 'failed',
    atMs,
    source: named(fields, 'src'),
    sourceIdentity: text(fields, 'src.identity'),
    destination: named(fields, 'dst'),
    service: text(fields, 'dst.service'),
    request: `${text(fields, 'method')} ${text(fields, 'path')}`.trim().slice(0, MAX_CHARS),
    reason: reason.slice(0, MAX_CHARS),
    policy,
    rule,
    isEcho: reason.endsWith('denied by policy there'),
  };
}

/** `<namespace>/<pod>`; else the address; else nothing but the service is known. */
function named(fields: JsonObject, side: 'src' | 'dst'): string {
  const [namespace, name] = [text(fields, `${side}.namespace`), text(fields, `${side}.workload`)];
  if (name !== '') return `${namespace}/${name}`;
  const address =
    side === 'dst' ? text(fields, 'dst.hbone_addr') || text(fields, 'dst.addr') : text(fields, 'src.addr');
  return side === 'dst' ? address : address.replace(/:\d+$/, '');
}

/** The last of several policies is not more to blame than the first: then it is none. */
function blamed(reason: string): { readonly policy: string; readonly rule: number | null } {
  const denied = /denied by (\S+\/\S+) rule (\d+)/.exec(reason);
  if (denied !== null) return { policy: denied[1] ?? '', rule: Number(denied[2]) };
  const none = /no ALLOW policy of (\S+\/[^\s,]+) matched/.exec(reason);
  return { policy: none?.[1] ?? '', rule: null };
}

function isDenial(reason: string, flags: string): boolean {
  return flags.split(',').includes('UAEX') || /\bdenied by |^denied: |\bno ALLOW policy of /.test(reason);
}

/** Time, level, scope, message and fields, separated by tabs. */
function ofText(line: string): JsonObject {
  const [time = '', level = '', scope = '', , ...rest] = line.split('\t');
  if (level !== 'error' || scope !== 'access') return {};
  const fields: Record<string, string> = { time, level, scope };
  for (const [, name = '', value = ''] of rest.join('\t').matchAll(FIELD)) fields[name] = unquoted(value);
  return fields;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(parseJson(value));
  } catch {
    return value;
  }
}
