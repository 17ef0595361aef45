import { ANY_REQUEST, type PathMatch, type RouteMatch } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { readHeaderMatches } from '../gateway-route/value-match.ts';
import { checkRegex } from '../path-value.ts';

/** A match of calls and what it is put in order by: characters of the service, then of the method. */
export interface GrpcMatch {
  readonly match: RouteMatch;
  readonly specificity: readonly number[];
}

const ROOT: PathMatch = { kind: 'prefix', value: '/', ignoreCase: false };
export const EVERY_CALL: GrpcMatch = { match: { ...ANY_REQUEST, path: ROOT }, specificity: [0, 0] };

const SERVICE = /^\.?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;
const METHOD = /^[A-Za-z_]\w*$/;

export function readGrpcMatch(fields: Fields): GrpcMatch {
  const method = fields.object('method', readMethod) ?? { path: ROOT, specificity: [0, 0] };
  const headers = readHeaderMatches(fields);
  return { match: { ...ANY_REQUEST, path: method.path, headers }, specificity: method.specificity };
}

function readMethod(fields: Fields): { readonly path: PathMatch; readonly specificity: readonly number[] } {
  const type = fields.oneOf('type', ['Exact', 'RegularExpression']) ?? 'Exact';
  const service = fields.string('service') ?? '';
  const method = fields.string('method') ?? '';
  const specificity = [service.length, method.length];
  if (service === '' && method === '') {
    fields.reject('service', 'is required where there is no method', 'set service, method or both');
    return { path: ROOT, specificity };
  }
  if (type === 'RegularExpression') {
    if (service !== '') checkRegex(fields, 'service', service);
    if (method !== '') checkRegex(fields, 'method', method);
    return { path: pattern(anyOr(service), anyOr(method)), specificity };
  }
  if (service !== '' && !SERVICE.test(service))
    fields.reject('service', 'is no name of a gRPC service', 'write it as in package.Service');
  if (method !== '' && !METHOD.test(method))
    fields.reject('method', 'is no name of a gRPC method', 'write it as in GetOrder');
  return { path: exactPath(service, method), specificity };
}

function exactPath(service: string, method: string): PathMatch {
  if (service === '') return pattern(ONE_ELEMENT, method);
  // The prefix is by path element: all methods of the service.
  if (method === '') return { kind: 'prefix', value: `/${service}`, ignoreCase: false };
  return { kind: 'exact', value: `/${service}/${method}`, ignoreCase: false };
}

const ONE_ELEMENT = '[^/]+';

function anyOr(regex: string): string {
  return regex === '' ? ONE_ELEMENT : `(?:${regex})`;
}

function pattern(service: string, method: string): PathMatch {
  return { kind: 'regex', value: `/${service}/${method}`, ignoreCase: false };
}
