import type { ServiceAddresses } from '../network/mesh-network.ts';
import { child, children, textMap, texts } from '#shared/config/json-fields.ts';
import { type KubeObject, text } from './kube-object.ts';

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** A name: of a port of each pod's container, which may be another number in each. */
  readonly targetPort: number | string;
  readonly protocol: string;
  readonly appProtocol: string | undefined;
}

export interface ServiceSpec {
  readonly name: string;
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  /** Empty: headless, or none given yet. */
  readonly clusterIps: readonly string[];
  readonly ports: readonly ServicePort[];
}

export function serviceSpec(service: KubeObject): ServiceSpec {
  const spec = child(service.body, 'spec');
  return {
    name: service.name,
    namespace: service.namespace,
    selector: textMap(spec, 'selector'),
    clusterIps: clusterIps(service).filter(ip => ip !== 'None'),
    ports: children(spec, 'ports').map(port => ({
      name: text(port, 'name') ?? '',
      port: number(port['port']),
      targetPort: text(port, 'targetPort') ?? number(port['targetPort'] ?? port['port']),
      protocol: text(port, 'protocol') ?? 'TCP',
      appProtocol: text(port, 'appProtocol'),
    })),
  };
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function clusterIps(service: KubeObject): string[] {
  const spec = child(service.body, 'spec');
  const one = text(spec, 'clusterIP');
  const all = texts(spec, 'clusterIPs');
  return all.length > 0 || one === undefined ? all : [one];
}

/**
 * Gives a cluster IP to each service that has none, of the families it asks for (IPv4 when it asks for nothing, or for
 * a family that the network does not have). @returns the services that changed.
 */
export function allocateClusterIps(
  services: readonly KubeObject[],
  addressesOf: (index: number) => ServiceAddresses,
): KubeObject[] {
  const taken = new Set(services.flatMap(clusterIps));
  let index = 0;
  const next = (): ServiceAddresses => {
    for (;;) {
      const addresses = addressesOf(index++);
      if (!taken.has(addresses.ipv4) && !taken.has(addresses.ipv6 ?? '')) return addresses;
    }
  };
  return services
    .filter(service => clusterIps(service).length === 0)
    .map(service => withClusterIps(service, next()));
}

function withClusterIps(service: KubeObject, { ipv4, ipv6 }: ServiceAddresses): KubeObject {
  const spec = child(service.body, 'spec');
  const wanted = texts(spec, 'ipFamilies');
  const families = wanted.filter(family => family !== 'IPv6' || ipv6 !== undefined);
  const ipFamilies = families.length > 0 ? families : ['IPv4'];
  const addresses = ipFamilies.map(family => (family === 'IPv6' ? (ipv6 ?? ipv4) : ipv4));
  return {
    ...service,
    body: { ...service.body, spec: { ...spec, clusterIP: addresses[0], clusterIPs: addresses, ipFamilies } },
  };
}
