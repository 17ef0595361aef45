import type { SessionPersistence } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';

const MAX_NAME_CHARS = 128;

/**
 * Gateway API's `sessionPersistence`, of a rule of a route or of a policy for backends.
 *
 * @param defaultName of the cookie or header
 */
export function readSession(fields: Fields, defaultName: string): SessionPersistence {
  const kind = (fields.oneOf('type', ['Cookie', 'Header']) ?? 'Cookie') === 'Cookie' ? 'cookie' : 'header';
  const absoluteTimeoutMs = timeout(fields, 'absoluteTimeout');
  const idleTimeoutMs = timeout(fields, 'idleTimeout');
  const lifetime = fields.object('cookieConfig', readLifetime) ?? 'session';
  if (kind === 'header' && fields.has('cookieConfig'))
    fields.reject('cookieConfig', 'has a meaning with type Cookie only', 'remove it, or set type Cookie');
  if (lifetime === 'permanent' && absoluteTimeoutMs === undefined)
    fields.reject('absoluteTimeout', 'is required for a permanent cookie', 'say how long it is to live');
  return {
    kind,
    name: readName(fields, defaultName),
    path: undefined,
    absoluteTimeoutMs,
    idleTimeoutMs,
    lifetime,
  };
}

/** Where a rule names no cookie: no two rules share one. @param rule `<kind>/<namespace>/<name>/<rule>` */
export function sessionName(rule: string): string {
  return `ambient-${rule.split('/').slice(1).join('-')}`;
}

/** Names of cookies and of headers are tokens alike; headers are compared in lower case. */
function readName(fields: Fields, defaultName: string): string {
  const name = fields.string('sessionName') ?? '';
  if (name === '') return defaultName;
  if (name.length > MAX_NAME_CHARS)
    fields.reject('sessionName', `is longer than ${MAX_NAME_CHARS} characters`, 'write a shorter name');
  const lower = headerName(fields, 'sessionName', name);
  return fields.raw('type') === 'Header' ? lower : name;
}

function readLifetime(fields: Fields): SessionPersistence['lifetime'] {
  return fields.oneOf('lifetimeType', ['Session', 'Permanent']) === 'Permanent' ? 'permanent' : 'session';
}

function timeout(fields: Fields, key: string): number | undefined {
  const ms = fields.durationMs(key, '1h');
  if (ms !== 0) return ms;
  fields.reject(key, 'must be longer than nothing', 'write a time such as 1h, or remove it');
  return undefined;
}
