import { hostOf } from '#shared/authz/request.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import type { Downstream } from '../request/environment.ts';
import type { ServiceState } from '../services/service-state.ts';

export type AskedHost =
  | { readonly ok: true; readonly host: string }
  | { readonly ok: false; readonly failure: 'no_route' | 'no_endpoint'; readonly reason: string };

/** RFC 1035 §2.3.4. */
const MAX_NAME_LENGTH = 253;
/** What DNS is asked for. A last label of digits alone is an address to some and a name to others. */
const NAME =
  /^(?!.*(?:^|\.)\d+$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The host whose endpoints a request is for, of a service that lists none (`ServiceState.endpointsBy`). Pure.
 *
 * @param named the authority of a request, or the server name of TLS; empty: nobody is named
 */
export function askedHost(
  target: Pick<ServiceState, 'covers' | 'endpointsBy' | 'name'>,
  downstream: Pick<Downstream, 'dialled'> & { readonly service: Pick<ServiceState, 'name'> },
  named: string,
): AskedHost {
  if (target.endpointsBy === 'address') return askedAddress(target, downstream);
  const name = namedHost(downstream, named);
  if (!target.covers(name) || name.length > MAX_NAME_LENGTH || !NAME.test(name))
    return { ok: false, failure: 'no_route', reason: notItsHost(target.name, name) };
  return { ok: true, host: name };
}

/** What is passed through goes where the client dialled, be it by a route of the service itself. */
function askedAddress(
  target: Pick<ServiceState, 'name'>,
  { dialled, service }: Pick<Downstream, 'dialled'> & { readonly service: Pick<ServiceState, 'name'> },
): AskedHost {
  const ip = canonicalIp(dialled);
  if (ip !== undefined && service.name === target.name) return { ok: true, host: ip };
  const reason = `${target.name} is passed through by address only`;
  return { ok: false, failure: 'no_endpoint', reason };
}

/** Whom a request names, else whom its connection was made to; empty: nobody, an address alone. */
export function namedHost({ dialled }: Pick<Downstream, 'dialled'>, named: string): string {
  return nameIn(named) || nameIn(dialled);
}

/** @param name empty: nobody is named */
export function notItsHost(service: string, name: string): string {
  return name === '' ? `nobody is named, of the hosts of ${service}` : `${name} is no host of ${service}`;
}

/** In lower case, without port and final dot. */
function nameIn(text: string): string {
  const host = hostOf(text).replace(/\.$/, '');
  return canonicalIp(host.replace(/^\[(.*)\]$/, '$1')) === undefined ? host : '';
}
