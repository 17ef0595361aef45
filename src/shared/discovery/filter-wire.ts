import type { HeaderChange, PathModifier, Redirect, Rewrite, RouteFilter } from '../route/route-filter.ts';
import { compileReplacement } from '../route/regex/replace.ts';
import { authorizerFromWire, authorizerToWire, headerValues } from './external-authorizer-wire.ts';
import { corsFromWire, corsToWire, faultFromWire, faultToWire } from './fault-and-cors-wire.ts';
import {
  globalLimitFromWire,
  globalLimitToWire,
  localLimitFromWire,
  localLimitToWire,
} from './rate-limit-wire.ts';
import {
  checkPort,
  InvalidField,
  readEach,
  readEnum,
  readIfSet,
  readName,
  readOptionalNumber,
  readOptionalText,
  readPercent,
  readPort,
  readStatus,
  readText,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.RouteFilter` ↔ `RouteFilter`. */

const MODIFIER_KINDS = ['full', 'prefix', 'regex'] as const;

/** @throws InvalidField */
export function filtersFromWire(wire: WireFields): readonly RouteFilter[] {
  return readEach(wire, 'filters', filterFromWire);
}

type Reader = (body: WireFields) => RouteFilter;

const READERS: Readonly<Record<RouteFilter['kind'], Reader>> = {
  request_headers: body => ({ kind: 'request_headers', change: headerChangeFromWire(body) }),
  response_headers: body => ({ kind: 'response_headers', change: headerChangeFromWire(body) }),
  redirect: body => ({ kind: 'redirect', redirect: redirectFromWire(body) }),
  rewrite: body => ({ kind: 'rewrite', rewrite: rewriteFromWire(body) }),
  direct_response: body => ({
    kind: 'direct_response',
    status: readStatus(body, 'status'),
    body: readText(body, 'body'),
    headers: headerValues(body, 'headers'),
  }),
  fault: body => ({ kind: 'fault', fault: faultFromWire(body) }),
  mirror: body => ({
    kind: 'mirror',
    mirror: {
      service: readOptionalText(body, 'service'),
      port: readPort(body, 'port', 0),
      subset: readOptionalText(body, 'subset'),
      percent: readPercent(body, 'percent'),
    },
  }),
  cors: body => ({ kind: 'cors', cors: corsFromWire(body) }),
  local_rate_limit: body => ({ kind: 'local_rate_limit', limit: localLimitFromWire(body) }),
  global_rate_limit: body => ({ kind: 'global_rate_limit', limit: globalLimitFromWire(body) }),
  external_authorization: body => ({
    kind: 'external_authorization',
    authorizer: authorizerFromWire(body),
  }),
};

/** A filter of no kind we know must not be skipped: it may be the one that takes a header away. */
function filterFromWire(wire: WireFields): RouteFilter {
  for (const [kind, read] of Object.entries(READERS)) {
    const filter = readIfSet(wire, kind, read);
    if (filter !== undefined) return filter;
  }
  throw new InvalidField('filter', 'is of no known kind');
}

export function filterToWire(filter: RouteFilter): object {
  switch (filter.kind) {
    case 'request_headers':
    case 'response_headers':
      return { [filter.kind]: filter.change };
    case 'redirect':
      return { redirect: { ...filter.redirect, path: modifierToWire(filter.redirect.path) } };
    case 'rewrite':
      return {
        rewrite: { hostname: filter.rewrite.hostname, path: modifierToWire(filter.rewrite.path) },
      };
    case 'direct_response':
      return {
        direct_response: { status: filter.status, body: filter.body, headers: filter.headers },
      };
    case 'fault':
      return { fault: faultToWire(filter.fault) };
    case 'mirror':
      return { mirror: filter.mirror };
    case 'cors':
      return { cors: corsToWire(filter.cors) };
    case 'local_rate_limit':
      return { local_rate_limit: localLimitToWire(filter.limit) };
    case 'global_rate_limit':
      return { global_rate_limit: globalLimitToWire(filter.limit) };
    case 'external_authorization':
      return { external_authorization: authorizerToWire(filter.authorizer) };
  }
}

function headerChangeFromWire(wire: WireFields): HeaderChange {
  return {
    set: headerValues(wire, 'set'),
    add: headerValues(wire, 'add'),
    remove: readTexts(wire, 'remove'),
  };
}

function redirectFromWire(wire: WireFields): Redirect {
  const port = readOptionalNumber(wire, 'port');
  return {
    scheme: readOptionalText(wire, 'scheme'),
    hostname: readOptionalText(wire, 'hostname'),
    port: port === undefined ? undefined : checkPort(port, 'port', 1),
    path: readIfSet(wire, 'path', modifierFromWire),
    status: readStatus(wire, 'status'),
  };
}

function rewriteFromWire(wire: WireFields): Rewrite {
  return {
    hostname: readOptionalText(wire, 'hostname'),
    path: readIfSet(wire, 'path', modifierFromWire),
  };
}

function modifierFromWire(wire: WireFields): PathModifier {
  const kind = readEnum(wire, 'kind', MODIFIER_KINDS);
  const value = readText(wire, 'value');
  if (kind !== 'regex') return { kind, value };
  const pattern = readName(wire, 'pattern');
  const compiled = compileReplacement(pattern, value);
  if (!compiled.ok) throw new InvalidField('pattern', `${JSON.stringify(pattern)}: ${compiled.reason}`);
  return { kind, pattern, value };
}

function modifierToWire(modifier: PathModifier | undefined): object | undefined {
  if (modifier === undefined) return undefined;
  return { ...modifier, kind: MODIFIER_KINDS.indexOf(modifier.kind) };
}
