import type { HttpMatch, Match, StringMatch } from '#shared/authz/policy.ts';
import { ANY_HTTP_REQUEST, EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { ports, stringMatches } from './values.ts';

const HTTP_FIELDS = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;

/** `to[].operation`. */
export function readOperation(fields: Fields): Match {
  const destinationPorts = ports(fields, 'ports');
  const notDestinationPorts = ports(fields, 'notPorts');
  const http: HttpMatch = {
    ...ANY_HTTP_REQUEST,
    hosts: stringMatches(fields, 'hosts'),
    notHosts: stringMatches(fields, 'notHosts'),
    methods: stringMatches(fields, 'methods'),
    notMethods: stringMatches(fields, 'notMethods'),
    paths: readPaths(fields, 'paths'),
    notPaths: readPaths(fields, 'notPaths'),
  };
  const asksHttp = HTTP_FIELDS.some(field => http[field].length > 0);
  return { ...EMPTY_MATCH, destinationPorts, notDestinationPorts, http: asksHttp ? http : undefined };
}

function readPaths(fields: Fields, key: string): readonly StringMatch[] {
  if (fields.strings(key).some(path => path.includes('{*'))) {
    fields.reject(key, 'path templates ({*}, {**}) are not supported', 'write a prefix such as /items/*');
  }
  return stringMatches(fields, key);
}
