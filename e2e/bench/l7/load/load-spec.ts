import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { HttpLoad } from '../../load.ts';
import { BODIES, type Body, PROTOCOLS, type Protocol, type RuleCount, TABLES } from '../plan.ts';

/** One run of the load program. */
export interface LoadSpec {
  readonly protocol: Protocol;
  readonly rules: RuleCount;
  readonly body: Body;
  readonly connections: number;
  /** Requests under way on each connection. */
  readonly streams: number;
  readonly seconds: number;
}

/** Throws when it is none. */
export function parseLoadSpec(text: string): LoadSpec {
  const value = parseJson(text);
  const spec = isJsonObject(value) ? value : {};
  const [protocol, rules, body] = [
    PROTOCOLS.find(known => known === spec['protocol']),
    TABLES.find(known => known === spec['rules']),
    BODIES.find(known => known === spec['body']),
  ];
  const { connections, streams, seconds } = spec;
  if (
    protocol === undefined ||
    rules === undefined ||
    body === undefined ||
    typeof connections !== 'number' ||
    typeof streams !== 'number' ||
    typeof seconds !== 'number'
  )
    throw new Error(`no run of the load program: ${text}`);
  return { protocol, rules, body, connections, streams, seconds };
}

/** What the load program answered: a result, or why there is none, which is thrown. */
export function parseLoadResult(text: string): HttpLoad {
  const value = parseJson(text);
  const result = isJsonObject(value) ? value : {};
  if (typeof result['error'] === 'string') throw new Error(`load: ${result['error']}`);
  const number = (field: keyof HttpLoad): number => {
    const found = result[field];
    if (typeof found !== 'number') throw new Error(`load: a result without ${field}: ${text}`);
    return found;
  };
  return {
    requests: number('requests'),
    requestsPerSecond: number('requestsPerSecond'),
    p50Ms: number('p50Ms'),
    p99Ms: number('p99Ms'),
  };
}
