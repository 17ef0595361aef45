import { ANY_HTTP_REQUEST, type HttpMatch, type StringMatch } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';
import { checkRegex, pathMatch } from '../path-value.ts';
import { readTokenWishes, type TokenWish } from './token-wish.ts';

/** One of a list that is tried from top to bottom: the first whose conditions a request meets decides about it. */
export interface Permission {
  readonly action: 'allow' | 'deny';
  /** All of them. */
  readonly conditions: readonly Condition[];
  /** A token of any of them besides; undefined: none is asked for. */
  readonly tokens: readonly TokenWish[] | undefined;
}

/** Said both ways: a permission further down holds for what those above it leave. */
export interface Condition {
  readonly met: HttpMatch;
  /** Any of them. */
  readonly unmet: readonly HttpMatch[];
}

export function readPermission(fields: Fields): Permission {
  const action = fields.oneOf('action', ['allow', 'deny']);
  if (action === undefined) fields.requiredString('action');
  const tokens = readTokenWishes(fields);
  const conditions = fields.object('http', readConditions) ?? [];
  if (conditions.length === 0)
    fields.reject(
      'http',
      'asks for nothing',
      'set a path, methods or header; pathPrefix "/" is every request',
    );
  return { action: action ?? 'deny', conditions, tokens };
}

function readConditions(fields: Fields): readonly Condition[] {
  return [readPath(fields), readMethods(fields), ...fields.objects('header', readHeader)].filter(
    condition => condition !== undefined,
  );
}

const PATHS = { pathExact: 'exact', pathPrefix: 'prefix', pathRegex: 'regex' } as const;
const PATH_KEYS = ['pathExact', 'pathPrefix', 'pathRegex'] as const;

function readPath(fields: Fields): Condition | undefined {
  const [key, ...more] = PATH_KEYS.filter(candidate => fields.has(candidate));
  if (key === undefined) return undefined;
  if (more.length > 0) fields.reject(key, 'is set together with another kind of path', 'keep one of them');
  const kind = PATHS[key];
  const { value } = pathMatch(
    fields,
    key,
    kind === 'prefix' ? 'string_prefix' : kind,
    fields.string(key) ?? '',
    false,
  );
  return either({ paths: [{ kind, value }] }, { notPaths: [{ kind, value }] });
}

const METHOD = /^[A-Z]+$/;

function readMethods(fields: Fields): Condition | undefined {
  const methods = fields.strings('methods').map(method => method.toUpperCase());
  const wrong = methods.find(method => !METHOD.test(method));
  if (wrong !== undefined) fields.reject('methods', `"${wrong}" is no method`, 'write names such as GET');
  if (methods.length === 0) return undefined;
  const values = methods.map((value): StringMatch => ({ kind: 'exact', value }));
  return either({ methods: values }, { notMethods: values });
}

const HEADER_KINDS = ['exact', 'prefix', 'suffix', 'contains', 'regex'] as const;

function readHeader(fields: Fields): Condition {
  const name = headerName(fields, 'name', fields.requiredString('name'));
  const invert = fields.boolean('invert') ?? false;
  const match = readHeaderValue(fields);
  const is = { headers: [{ name, values: [match], notValues: [] }] };
  const isNot = { headers: [{ name, values: [], notValues: [match] }] };
  if (!invert) return either(is, isNot);
  if (match.kind === 'any') return either(isNot, is);
  // As Envoy, where a header that is not there has no value that could be another one.
  const isOther = { headers: [{ name, values: [ANY_VALUE], notValues: [match] }] };
  return either(isOther, is, { headers: [{ name, values: [], notValues: [ANY_VALUE] }] });
}

const ANY_VALUE: StringMatch = Object.freeze({ kind: 'any' });

function readHeaderValue(fields: Fields): StringMatch {
  const ignoreCase = fields.boolean('ignoreCase') ?? false;
  const present = fields.boolean('present') ?? false;
  const [kind, ...more] = HEADER_KINDS.filter(candidate => (fields.string(candidate) ?? '') !== '');
  if (more.length + Number(kind !== undefined) + Number(present) !== 1) {
    const message = 'is required, or prefix, suffix, contains, regex or present, and only one of them';
    fields.reject('exact', message, 'keep the one you mean');
  }
  if (ignoreCase && (kind === undefined || kind === 'regex'))
    fields.reject('ignoreCase', 'has no meaning here', 'remove it; write (?i) in front of a pattern');
  if (kind === undefined) return ANY_VALUE;
  const value = fields.string(kind) ?? '';
  if (kind === 'regex') {
    checkRegex(fields, kind, value);
    return { kind, value };
  }
  return ignoreCase ? { kind, value, ignoreCase } : { kind, value };
}

/** @param unmet what a request that does not meet it meets any of */
export function either(met: Partial<HttpMatch>, ...unmet: readonly Partial<HttpMatch>[]): Condition {
  return {
    met: { ...ANY_HTTP_REQUEST, ...met },
    unmet: unmet.map(one => ({ ...ANY_HTTP_REQUEST, ...one })),
  };
}
