import type { CidrMatch, ServiceAccountMatch, StringMatch } from '#shared/authz/policy.ts';
import { parseCidr } from '#shared/workload/cidr.ts';
import { ipFromBytes } from '#shared/workload/ip.ts';
import type { Fields } from '../decode.ts';

/** Istio's notation: `*` is presence, `*x` a suffix, `x*` a prefix, anything else exact. */
export function stringMatches(fields: Fields, key: string): readonly StringMatch[] {
  return stringMatchesOf(fields, key, fields.strings(key));
}

/** Of some of the texts of a field. */
export function stringMatchesOf(
  fields: Fields,
  key: string,
  texts: readonly string[],
): readonly StringMatch[] {
  return texts.map(text => stringMatch(fields, key, text));
}

function stringMatch(fields: Fields, key: string, text: string): StringMatch {
  if (text === '*') return { kind: 'presence' };
  const kind = text.startsWith('*') ? 'suffix' : text.endsWith('*') ? 'prefix' : 'exact';
  const value = kind === 'suffix' ? text.slice(1) : kind === 'prefix' ? text.slice(0, -1) : text;
  if (value === '')
    fields.reject(key, 'holds an empty value, which matches nothing', 'write a value, or "*" for any');
  if (value.includes('*')) {
    fields.reject(key, `"${text}" has a "*" that is not at one end`, 'write x*, *x, * or the whole value');
  }
  return { kind, value };
}

/** Addresses and ranges, IPv4 or IPv6. */
export function cidrs(fields: Fields, key: string): readonly CidrMatch[] {
  return fields.strings(key).flatMap(text => cidrOf(fields, key, text) ?? []);
}

/** One address or range, where there is one. */
export function cidr(fields: Fields, key: string): CidrMatch | undefined {
  const text = fields.string(key);
  return text === undefined || text === '' ? undefined : cidrOf(fields, key, text);
}

export function cidrOf(fields: Fields, key: string, text: string): CidrMatch | undefined {
  const range = parseCidr(text);
  const ip = range === undefined ? undefined : ipFromBytes(range.bytes);
  if (range !== undefined && ip !== undefined) return { ip, prefixLength: range.prefixLength };
  fields.reject(key, `"${text}" is no IP address or range`, 'write an address or a range such as 10.0.0.0/8');
  return undefined;
}

export function ports(fields: Fields, key: string): readonly number[] {
  return fields.strings(key).map(text => {
    const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
    if (port < 1 || port > 65535)
      fields.reject(key, `"${text}" is no port`, 'write a number from 1 to 65535 in quotes');
    return port;
  });
}

/** `<service account>`, of the policy's namespace, or `<namespace>/<service account>`. */
export function serviceAccounts(
  fields: Fields,
  key: string,
  namespace: string,
): readonly ServiceAccountMatch[] {
  return fields.strings(key).map(text => {
    const [first = '', second, ...more] = text.split('/');
    if (more.length > 0 || first === '' || second === '' || text.includes('*')) {
      fields.reject(key, `"${text}" is no service account`, 'write name or namespace/name');
    }
    return second === undefined
      ? { namespace, serviceAccount: first }
      : { namespace: first, serviceAccount: second };
  });
}
