import { ipFromBytes, isIpv6, parseIp } from '../workload/ip.ts';
import type { GatewayAddress, ServicePort, Workload } from '../workload/workload.ts';
import {
  InvalidField,
  isWireFields,
  readByteStrings,
  readBytes,
  readEntries,
  readEnum,
  readFlag,
  readMessage,
  readMessages,
  readName,
  readNumber,
  readPort,
  readText,
  readTexts,
  type WireFields,
  within,
} from './wire-fields.ts';

/** `istio.workload.Workload` ↔ `Workload`. */

const TUNNEL_PROTOCOLS = ['none', 'hbone', 'legacy_istio_mtls'] as const;
const WORKLOAD_TYPES = ['deployment', 'cronjob', 'pod', 'job'] as const;
const APP_PROTOCOLS = ['unknown', 'http11', 'http2', 'grpc', 'tcp', 'tls'] as const;
const STATUSES = ['healthy', 'unhealthy'] as const;
const NETWORK_MODES = ['standard', 'host_network'] as const;
const APPLICATION_PROTOCOLS = ['none', 'proxy'] as const;

/** @throws InvalidField */
export function workloadFromWire(wire: WireFields): Workload {
  const tunnel = readMessage(wire, 'application_tunnel');
  const locality = readMessage(wire, 'locality') ?? {};
  const capacity = readMessage(wire, 'capacity');
  const addresses = readByteStrings(wire, 'addresses').map((bytes, i) => ipText(bytes, `addresses[${i}]`));
  const hostname = readText(wire, 'hostname');
  return {
    uid: readName(wire, 'uid'),
    name: readText(wire, 'name'),
    namespace: readName(wire, 'namespace'),
    addresses,
    // The wire has one field for both: who has an address needs no name to be found by.
    hostname: addresses.length === 0 ? hostname : '',
    dnsName: addresses.length === 0 ? '' : hostname,
    network: readText(wire, 'network'),
    tunnelProtocol: readEnum(wire, 'tunnel_protocol', TUNNEL_PROTOCOLS),
    // The wire leaves out what is the mesh's default.
    trustDomain: readText(wire, 'trust_domain') || DEFAULT_TRUST_DOMAIN,
    serviceAccount: readText(wire, 'service_account') || 'default',
    waypoint: gatewayField(wire, 'waypoint'),
    networkGateway: gatewayField(wire, 'network_gateway'),
    node: readText(wire, 'node'),
    canonicalName: readText(wire, 'canonical_name'),
    canonicalRevision: readText(wire, 'canonical_revision'),
    workloadType: readEnum(wire, 'workload_type', WORKLOAD_TYPES),
    workloadName: readText(wire, 'workload_name'),
    nativeTunnel: readFlag(wire, 'native_tunnel'),
    applicationTunnel: tunnel && {
      protocol: readEnum(tunnel, 'protocol', APPLICATION_PROTOCOLS),
      port: readPort(tunnel, 'port', 0),
    },
    services: new Map(readEntries(wire, 'services').map(servicesEntry)),
    authorizationPolicies: readTexts(wire, 'authorization_policies'),
    status: readEnum(wire, 'status', STATUSES),
    clusterId: readText(wire, 'cluster_id'),
    locality: {
      region: readText(locality, 'region'),
      zone: readText(locality, 'zone'),
      subzone: readText(locality, 'subzone'),
    },
    networkMode: readEnum(wire, 'network_mode', NETWORK_MODES),
    capacity: capacity === undefined ? 1 : readNumber(capacity, 'value'),
  };
}

export function workloadToWire(w: Workload): object {
  return {
    uid: w.uid,
    name: w.name,
    namespace: w.namespace,
    addresses: w.addresses.map(ipBytes),
    hostname: w.hostname || w.dnsName,
    network: w.network,
    tunnel_protocol: TUNNEL_PROTOCOLS.indexOf(w.tunnelProtocol),
    trust_domain: w.trustDomain === DEFAULT_TRUST_DOMAIN ? '' : w.trustDomain,
    service_account: w.serviceAccount,
    waypoint: w.waypoint && gatewayToWire(w.waypoint),
    network_gateway: w.networkGateway && gatewayToWire(w.networkGateway),
    node: w.node,
    canonical_name: w.canonicalName,
    canonical_revision: w.canonicalRevision,
    workload_type: WORKLOAD_TYPES.indexOf(w.workloadType),
    workload_name: w.workloadName,
    native_tunnel: w.nativeTunnel,
    application_tunnel: w.applicationTunnel && {
      protocol: APPLICATION_PROTOCOLS.indexOf(w.applicationTunnel.protocol),
      port: w.applicationTunnel.port,
    },
    services: servicesToWire(w.services),
    authorization_policies: w.authorizationPolicies,
    status: STATUSES.indexOf(w.status),
    cluster_id: w.clusterId,
    locality: isBlank(w.locality) ? undefined : w.locality,
    network_mode: NETWORK_MODES.indexOf(w.networkMode),
    // Absent means 1, 0 takes no connections.
    capacity: w.capacity === 1 ? undefined : { value: w.capacity },
  };
}

/** @throws InvalidField when a gateway names neither a host name nor an address. */
function gatewayFromWire(wire: WireFields): GatewayAddress {
  const hboneMtlsPort = readPort(wire, 'hbone_mtls_port', 0) || HBONE_PORT;
  const host = readMessage(wire, 'hostname');
  if (host !== undefined) {
    const namespace = readName(host, 'namespace');
    return { kind: 'hostname', namespace, hostname: readName(host, 'hostname'), hboneMtlsPort };
  }
  const address = readMessage(wire, 'address');
  if (address === undefined) throw new InvalidField('destination', 'has neither hostname nor address');
  const ip = ipText(readBytes(address, 'address'), 'address');
  return { kind: 'address', network: readText(address, 'network'), ip, hboneMtlsPort };
}

export function gatewayToWire(gateway: GatewayAddress): object {
  return gateway.kind === 'hostname'
    ? {
        hostname: { namespace: gateway.namespace, hostname: gateway.hostname },
        hbone_mtls_port: gateway.hboneMtlsPort,
      }
    : {
        address: { network: gateway.network, address: ipBytes(gateway.ip) },
        hbone_mtls_port: gateway.hboneMtlsPort,
      };
}

export function gatewayField(wire: WireFields, field: string): GatewayAddress | undefined {
  const gateway = readMessage(wire, field);
  return gateway && within(field, () => gatewayFromWire(gateway));
}

export function portFromWire(wire: WireFields): ServicePort {
  return {
    servicePort: readPort(wire, 'service_port', 1),
    targetPort: readPort(wire, 'target_port', 0),
    appProtocol: readEnum(wire, 'app_protocol', APP_PROTOCOLS),
  };
}

export function portToWire(port: ServicePort): object {
  return {
    service_port: port.servicePort,
    target_port: port.targetPort,
    app_protocol: APP_PROTOCOLS.indexOf(port.appProtocol),
  };
}

/** @throws InvalidField unless there are 4 or 16 bytes. */
export function ipText(bytes: Uint8Array, field: string): string {
  const ip = ipFromBytes(bytes);
  if (ip === undefined) {
    throw new InvalidField(field, `${bytes.length} bytes are no IP address; use 4 or 16`);
  }
  return ip;
}

/**
 * A prefix length as it applies to the canonical address `ip` of `bytes`: an IPv4-mapped range loses its first 96 bits.
 * @throws InvalidField when it is longer than the address.
 */
export function prefixBits(length: number, bytes: Uint8Array, ip: string): number {
  const mappedBits = bytes.length === 16 && !isIpv6(ip) ? 96 : 0;
  const bits = length - mappedBits;
  if (bits < 0 || bits > bytes.length * 8 - mappedBits) {
    throw new InvalidField('length', `/${length} is no prefix length of ${ip}`);
  }
  return bits;
}

/** For canonical addresses of the internal model only; anything else would be a fault of ours. */
export function ipBytes(ip: string): Uint8Array {
  const bytes = parseIp(ip);
  if (bytes === undefined) throw new Error(`${JSON.stringify(ip)} in the internal model is no IP address`);
  return bytes;
}

const DEFAULT_TRUST_DOMAIN = 'cluster.local';
const HBONE_PORT = 15_008;

function servicesEntry([name, list]: readonly [string, unknown]): [string, readonly ServicePort[]] {
  return within(`services[${name}]`, () => {
    if (!/^[^/]+\/[^/]+$/.test(name)) throw new InvalidField('name', 'is not <namespace>/<hostname>');
    if (!isWireFields(list)) throw new InvalidField('ports', 'is not a message');
    return [name, readMessages(list, 'ports').map(portFromWire)];
  });
}

/** In name order, so that equal workloads have equal bytes, whose hash is the version. */
function servicesToWire(services: Workload['services']): object {
  const entries = [...services].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, ports]) => [name, { ports: ports.map(portToWire) }]));
}

function isBlank(locality: Workload['locality']): boolean {
  return locality.region === '' && locality.zone === '' && locality.subzone === '';
}
