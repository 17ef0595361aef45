import type { Fields } from '../decode.ts';
import { HOST_NAME } from './host-name.ts';

/** The hosts of an entry, in lower case: names, and wildcards for all names below a domain. */
export function readHosts(spec: Fields): readonly string[] {
  const hosts = spec.strings('hosts').map(host => host.toLowerCase());
  if (hosts.length === 0) spec.reject('hosts', 'is required', 'name the hosts');
  for (const host of hosts) checkHost(spec, host);
  return [...new Set(hosts)];
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*.');
}

function checkHost(spec: Fields, host: string): void {
  if (host === '*') spec.reject('hosts', '"*" is every host there is', 'name a domain, as in *.example.com');
  else if (host.includes('*') && !(isWildcard(host) && !host.slice(1).includes('*')))
    spec.reject('hosts', `"${host}" has a "*" that is no whole first label`, 'write *.<domain>');
  else if (!HOST_NAME.test(isWildcard(host) ? host.slice(2) : host))
    spec.reject('hosts', `"${host}" is no host name`, 'write such as api.example.com');
}
