import type {
  HeaderChange,
  PathMatch,
  PathModifier,
  Redirect,
  Rewrite,
  RouteBackend,
  RouteFilter,
  RouteMatch,
  RouteRule,
  ValueMatch,
} from '../route/model.ts';
import { compileRegex } from '../route/regex/regex.ts';
import { retryFromWire, retryToWire } from './retry-wire.ts';
import {
  checkPort,
  InvalidField,
  readEnum,
  readFlag,
  readMessage,
  readMessages,
  readName,
  readNumber,
  readNumbers,
  readOptionalNumber,
  readOptionalText,
  readPort,
  readText,
  readTexts,
  type WireFields,
  within,
} from './wire-fields.ts';

/** `ambient.mesh.v1.RouteRule` ↔ `RouteRule`. */

const PATH_KINDS = ['exact', 'prefix', 'string_prefix', 'regex'] as const;
const VALUE_KINDS = ['exact', 'prefix', 'regex', 'present'] as const;
const MODIFIER_KINDS = ['full', 'prefix'] as const;

/** @throws InvalidField */
export function ruleFromWire(wire: WireFields): RouteRule {
  const timeouts = readMessage(wire, 'timeouts') ?? {};
  const retry = readMessage(wire, 'retry');
  return {
    name: readText(wire, 'name'),
    ports: readNumbers(wire, 'ports').map((port, i) => checkPort(port, `ports[${i}]`, 1)),
    consumer: readOptionalText(wire, 'consumer'),
    hosts: readTexts(wire, 'hosts'),
    matches: readMessages(wire, 'matches').map((m, i) => within(`matches[${i}]`, () => matchFromWire(m))),
    filters: filtersFromWire(wire),
    backends: readMessages(wire, 'backends').map((b, i) =>
      within(`backends[${i}]`, () => backendFromWire(b)),
    ),
    timeouts: {
      requestMs: readOptionalNumber(timeouts, 'request_ms'),
      backendRequestMs: readOptionalNumber(timeouts, 'backend_request_ms'),
    },
    retry: retry && within('retry', () => retryFromWire(retry)),
  };
}

export function ruleToWire(rule: RouteRule): object {
  return {
    name: rule.name,
    ports: rule.ports,
    consumer: rule.consumer,
    hosts: rule.hosts,
    matches: rule.matches.map(matchToWire),
    filters: rule.filters.map(filterToWire),
    backends: rule.backends.map(backendToWire),
    timeouts: { request_ms: rule.timeouts.requestMs, backend_request_ms: rule.timeouts.backendRequestMs },
    retry: rule.retry && retryToWire(rule.retry),
  };
}

function matchFromWire(wire: WireFields): RouteMatch {
  const path = readMessage(wire, 'path');
  return {
    path: path && within('path', () => pathFromWire(path)),
    method: readOptionalText(wire, 'method'),
    headers: valueMatches(wire, 'headers'),
    withoutHeaders: valueMatches(wire, 'without_headers'),
    query: valueMatches(wire, 'query'),
  };
}

function matchToWire(match: RouteMatch): object {
  return {
    path: match.path && {
      kind: PATH_KINDS.indexOf(match.path.kind),
      value: match.path.value,
      ignore_case: match.path.ignoreCase,
    },
    method: match.method,
    headers: match.headers.map(valueMatchToWire),
    without_headers: match.withoutHeaders.map(valueMatchToWire),
    query: match.query.map(valueMatchToWire),
  };
}

function pathFromWire(wire: WireFields): PathMatch {
  const kind = readEnum(wire, 'kind', PATH_KINDS);
  const value = readText(wire, 'value');
  if (kind === 'regex') checkRegex(value);
  return { kind, value, ignoreCase: readFlag(wire, 'ignore_case') };
}

function valueMatches(wire: WireFields, field: string): readonly ValueMatch[] {
  return readMessages(wire, field).map((m, i) =>
    within(`${field}[${i}]`, () => {
      const kind = readEnum(m, 'kind', VALUE_KINDS);
      const value = readText(m, 'value');
      if (kind === 'regex') checkRegex(value);
      return { name: readName(m, 'name'), kind, value };
    }),
  );
}

function valueMatchToWire(match: ValueMatch): object {
  return { name: match.name, kind: VALUE_KINDS.indexOf(match.kind), value: match.value };
}

/** A waypoint compiles it later: an expression that does not compile must not get that far. */
function checkRegex(expression: string): void {
  const compiled = compileRegex(expression);
  if (!compiled.ok) throw new InvalidField('value', `${JSON.stringify(expression)}: ${compiled.reason}`);
}

function filtersFromWire(wire: WireFields): readonly RouteFilter[] {
  return readMessages(wire, 'filters').map((f, i) => within(`filters[${i}]`, () => filterFromWire(f)));
}

/** A filter of no kind we know must not be skipped: it may be the one that takes a header away. */
function filterFromWire(wire: WireFields): RouteFilter {
  for (const kind of ['request_headers', 'response_headers'] as const) {
    const change = readMessage(wire, kind);
    if (change !== undefined) return { kind, change: headerChangeFromWire(change) };
  }
  const redirect = readMessage(wire, 'redirect');
  if (redirect !== undefined) return { kind: 'redirect', redirect: redirectFromWire(redirect) };
  const rewrite = readMessage(wire, 'rewrite');
  if (rewrite !== undefined) return { kind: 'rewrite', rewrite: rewriteFromWire(rewrite) };
  const direct = readMessage(wire, 'direct_response');
  if (direct === undefined) throw new InvalidField('filter', 'is of no known kind');
  return { kind: 'direct_response', status: readStatus(direct, 'status'), body: readText(direct, 'body') };
}

function filterToWire(filter: RouteFilter): object {
  switch (filter.kind) {
    case 'request_headers':
    case 'response_headers':
      return { [filter.kind]: filter.change };
    case 'redirect':
      return {
        redirect: {
          ...filter.redirect,
          path: filter.redirect.path && modifierToWire(filter.redirect.path),
        },
      };
    case 'rewrite':
      return {
        rewrite: {
          hostname: filter.rewrite.hostname,
          path: filter.rewrite.path && modifierToWire(filter.rewrite.path),
        },
      };
    case 'direct_response':
      return { direct_response: { status: filter.status, body: filter.body } };
  }
}

function headerChangeFromWire(wire: WireFields): HeaderChange {
  const values = (field: string): HeaderChange['set'] =>
    readMessages(wire, field).map(h => ({ name: readName(h, 'name'), value: readText(h, 'value') }));
  return { set: values('set'), add: values('add'), remove: readTexts(wire, 'remove') };
}

function redirectFromWire(wire: WireFields): Redirect {
  const port = readOptionalNumber(wire, 'port');
  return {
    scheme: readOptionalText(wire, 'scheme'),
    hostname: readOptionalText(wire, 'hostname'),
    port: port === undefined ? undefined : checkPort(port, 'port', 1),
    path: modifierField(wire),
    status: readStatus(wire, 'status'),
  };
}

function rewriteFromWire(wire: WireFields): Rewrite {
  return { hostname: readOptionalText(wire, 'hostname'), path: modifierField(wire) };
}

function modifierField(wire: WireFields): PathModifier | undefined {
  const path = readMessage(wire, 'path');
  return path && { kind: readEnum(path, 'kind', MODIFIER_KINDS), value: readText(path, 'value') };
}

function modifierToWire(modifier: PathModifier): object {
  return { kind: MODIFIER_KINDS.indexOf(modifier.kind), value: modifier.value };
}

function backendFromWire(wire: WireFields): RouteBackend {
  return {
    weight: readNumber(wire, 'weight'),
    service: readOptionalText(wire, 'service'),
    port: readPort(wire, 'port', 0),
    subset: readOptionalText(wire, 'subset'),
    filters: filtersFromWire(wire),
  };
}

function backendToWire(backend: RouteBackend): object {
  return { ...backend, filters: backend.filters.map(filterToWire) };
}

function readStatus(wire: WireFields, field: string): number {
  const status = readNumber(wire, field);
  if (status < 200 || status > 599)
    throw new InvalidField(field, `${status} is no final HTTP status; use 200–599`);
  return status;
}
