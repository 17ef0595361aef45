import {
  NO_TIMEOUTS,
  type RetryBudgetConfig,
  type RouteBackend,
  type RouteRule,
  type RouteTimeouts,
  type SessionPersistence,
} from '../route/model.ts';
import { filtersFromWire, filterToWire } from './filter-wire.ts';
import { matchFromWire, matchToWire, responseClassFromWire, responseClassToWire } from './match-wire.ts';
import { retryFromWire, retryToWire } from './retry-wire.ts';
import {
  checkPort,
  readEach,
  readEnum,
  readFlag,
  readIfSet,
  readName,
  readNumber,
  readNumbers,
  readOptionalMillis,
  readOptionalText,
  readPort,
  readText,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.RouteRule` ↔ `RouteRule`. */

const SESSION_KINDS = ['cookie', 'header'] as const;
const LIFETIMES = ['session', 'permanent'] as const;

/** @throws InvalidField */
export function ruleFromWire(wire: WireFields): RouteRule {
  return {
    name: readText(wire, 'name'),
    ports: portsFromWire(wire),
    hosts: readTexts(wire, 'hosts'),
    consumer: readOptionalText(wire, 'consumer'),
    callers: readTexts(wire, 'callers'),
    matches: readEach(wire, 'matches', matchFromWire),
    filters: filtersFromWire(wire),
    backends: readEach(wire, 'backends', backendFromWire),
    timeouts: readIfSet(wire, 'timeouts', timeoutsFromWire) ?? NO_TIMEOUTS,
    retry: readIfSet(wire, 'retry', retryFromWire),
    retryBudget: readIfSet(wire, 'retry_budget', retryBudgetFromWire),
    hedge: readFlag(wire, 'hedge_on_try_timeout') ? 'on_try_timeout' : undefined,
    session: readIfSet(wire, 'session', sessionFromWire),
    responseClasses: readEach(wire, 'response_classes', responseClassFromWire),
  };
}

export function ruleToWire(rule: RouteRule): object {
  const { timeouts, hedge, session } = rule;
  return {
    name: rule.name,
    ports: rule.ports,
    hosts: rule.hosts,
    consumer: rule.consumer,
    callers: rule.callers,
    matches: rule.matches.map(matchToWire),
    filters: rule.filters.map(filterToWire),
    backends: rule.backends.map(backendToWire),
    timeouts: {
      request_ms: timeouts.requestMs,
      backend_request_ms: timeouts.backendRequestMs,
      response_ms: timeouts.responseMs,
      idle_ms: timeouts.idleMs,
    },
    retry: rule.retry && retryToWire(rule.retry),
    retry_budget: rule.retryBudget && retryBudgetToWire(rule.retryBudget),
    hedge_on_try_timeout: hedge === 'on_try_timeout',
    session: session && sessionToWire(session),
    response_classes: rule.responseClasses.map(responseClassToWire),
  };
}

export function portsFromWire(wire: WireFields): readonly number[] {
  return readNumbers(wire, 'ports').map((port, i) => checkPort(port, `ports[${i}]`, 1));
}

function timeoutsFromWire(wire: WireFields): RouteTimeouts {
  return {
    requestMs: readOptionalMillis(wire, 'request_ms'),
    backendRequestMs: readOptionalMillis(wire, 'backend_request_ms'),
    responseMs: readOptionalMillis(wire, 'response_ms'),
    idleMs: readOptionalMillis(wire, 'idle_ms'),
  };
}

export function sessionFromWire(wire: WireFields): SessionPersistence {
  return {
    kind: readEnum(wire, 'kind', SESSION_KINDS),
    name: readName(wire, 'name'),
    path: readOptionalText(wire, 'path'),
    absoluteTimeoutMs: readOptionalMillis(wire, 'absolute_timeout_ms'),
    idleTimeoutMs: readOptionalMillis(wire, 'idle_timeout_ms'),
    lifetime: readEnum(wire, 'lifetime', LIFETIMES),
  };
}

export function sessionToWire(session: SessionPersistence): object {
  return {
    kind: SESSION_KINDS.indexOf(session.kind),
    name: session.name,
    path: session.path,
    absolute_timeout_ms: session.absoluteTimeoutMs,
    idle_timeout_ms: session.idleTimeoutMs,
    lifetime: LIFETIMES.indexOf(session.lifetime),
  };
}

export function backendFromWire(wire: WireFields): RouteBackend {
  return {
    weight: readNumber(wire, 'weight'),
    service: readOptionalText(wire, 'service'),
    port: readPort(wire, 'port', 0),
    subset: readOptionalText(wire, 'subset'),
    filters: filtersFromWire(wire),
  };
}

export function backendToWire(backend: RouteBackend): object {
  return { ...backend, filters: backend.filters.map(filterToWire) };
}

export function retryBudgetFromWire(wire: WireFields): RetryBudgetConfig {
  return {
    ratio: readNumber(wire, 'ratio'),
    minPerSecond: readNumber(wire, 'min_per_second'),
    ttlMs: readNumber(wire, 'ttl_ms'),
  };
}

export function retryBudgetToWire(budget: RetryBudgetConfig): object {
  return { ratio: budget.ratio, min_per_second: budget.minPerSecond, ttl_ms: budget.ttlMs };
}
