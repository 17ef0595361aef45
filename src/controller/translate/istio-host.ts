import type { Fields } from './decode.ts';
import type { KnownService, ServiceLookup } from './service-lookup.ts';

/** What Istio's kinds mean by a host, and where. */
export interface HostContext {
  /** Of the object that names the host. */
  readonly namespace: string;
  readonly clusterDomain: string;
  readonly services: ServiceLookup;
}

/** As Istio: a name without a dot is a Service of the object's own namespace, any other is fully qualified. */
function qualifyHost(host: string, context: HostContext): string {
  const lower = host.toLowerCase();
  return lower.includes('.') ? lower : `${lower}.${context.namespace}.svc.${context.clusterDomain}`;
}

/** The service of a host, or undefined with the reason reported as `consequence` says. */
export function lookUpHost(
  fields: Fields,
  key: string,
  host: string,
  context: HostContext,
  consequence: string,
): KnownService | undefined {
  const hostname = qualifyHost(host, context);
  const service = context.services.serviceByHostname(hostname, context.namespace);
  if (service === undefined) {
    fields.ignore(key, `there is no service ${hostname}: ${consequence}`, fixFor(host, context));
  }
  return service;
}

/** The services a host with a wildcard stands for, or none with the reason reported as `consequence` says. */
export function lookUpPattern(
  fields: Fields,
  key: string,
  pattern: string,
  context: HostContext,
  consequence: string,
): readonly KnownService[] {
  if (!/^\*(?:$|\.[^*]+$)/.test(pattern)) {
    fields.reject(key, `"${pattern}" has a "*" that is no whole first label`, 'write * or *.<domain>');
    return [];
  }
  const found = context.services.servicesMatching(pattern.toLowerCase());
  if (found.length === 0) {
    const message = `there is no service that ${pattern} matches: ${consequence}`;
    fields.ignore(key, message, 'create one or correct it');
  }
  return found;
}

/** `payments.shop` is what people write for `payments.shop.svc.cluster.local`, and one host for all of a wildcard. */
function fixFor(host: string, context: HostContext): string {
  const wildcard = wildcardOver(host.toLowerCase(), context);
  if (wildcard !== undefined)
    return `write ${wildcard}, which it is under, and match or rewrite the authority`;
  const [name = '', namespace = ''] = host.split('.');
  const meant = context.services.service(namespace, name);
  return meant === undefined ? 'create it or correct the name' : `write ${meant.hostname}`;
}

function wildcardOver(host: string, { namespace, services }: HostContext): string | undefined {
  for (let dot = host.indexOf('.'); dot > 0; dot = host.indexOf('.', dot + 1)) {
    const found = services.serviceByHostname(`*${host.slice(dot)}`, namespace);
    if (found !== undefined) return found.hostname;
  }
  return undefined;
}
