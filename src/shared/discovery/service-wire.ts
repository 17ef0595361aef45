import type { Visibility } from '../workload/visibility.ts';
import type { LoadBalancing, NetworkAddress, Service } from '../workload/workload.ts';
import {
  InvalidField,
  readBytes,
  readEnum,
  readEnums,
  readFlag,
  readMessage,
  readMessages,
  readName,
  readNumber,
  readOptionalNumber,
  readText,
  readTexts,
  type WireFields,
  within,
} from './wire-fields.ts';
import {
  gatewayField,
  gatewayToWire,
  ipBytes,
  ipText,
  portFromWire,
  portToWire,
  prefixBits,
} from './workload-wire.ts';

/** `istio.workload.Service` ↔ `Service`. */

const IP_FAMILIES = ['automatic', 'ipv4_only', 'ipv6_only', 'dual'] as const;
const VISIBILITIES = ['public', 'namespace'] as const;
const SCOPES = [undefined, 'region', 'zone', 'subzone', 'node', 'cluster', 'network'] as const;
const MODES = ['unspecified', 'strict', 'failover', 'passthrough'] as const;
const HEALTH_POLICIES = ['only_healthy', 'allow_all'] as const;

/** @throws InvalidField */
export function serviceFromWire(wire: WireFields): Service {
  const loadBalancing = readMessage(wire, 'load_balancing');
  return {
    name: readText(wire, 'name'),
    namespace: readName(wire, 'namespace'),
    hostname: readName(wire, 'hostname'),
    addresses: readMessages(wire, 'addresses').map((a, i) =>
      within(`addresses[${i}]`, () => networkAddressFromWire(a)),
    ),
    ports: readMessages(wire, 'ports').map((p, i) => within(`ports[${i}]`, () => portFromWire(p))),
    subjectAltNames: readTexts(wire, 'subject_alt_names'),
    waypoint: gatewayField(wire, 'waypoint'),
    loadBalancing: loadBalancing && within('load_balancing', () => loadBalancingFromWire(loadBalancing)),
    ipFamilies: readEnum(wire, 'ip_families', IP_FAMILIES),
    canonical: readFlag(wire, 'canonical'),
    ingressUseWaypoint: readFlag(wire, 'ingress_use_waypoint'),
    weightedWaypoints: readMessages(wire, 'weighted_waypoints').map((w, i) =>
      within(`weighted_waypoints[${i}]`, () => weightedWaypointFromWire(w)),
    ),
    visibility: visibilityFromWire(wire),
  };
}

export function serviceToWire(s: Service): object {
  return {
    name: s.name,
    namespace: s.namespace,
    hostname: s.hostname,
    addresses: s.addresses.map(a => ({
      network: a.network,
      address: ipBytes(a.ip),
      length: a.prefixLength,
    })),
    ports: s.ports.map(portToWire),
    subject_alt_names: s.subjectAltNames,
    waypoint: s.waypoint && gatewayToWire(s.waypoint),
    load_balancing: s.loadBalancing && {
      routing_preference: s.loadBalancing.routingPreference.map(scope => SCOPES.indexOf(scope)),
      mode: MODES.indexOf(s.loadBalancing.mode),
      health_policy: HEALTH_POLICIES.indexOf(s.loadBalancing.healthPolicy),
    },
    ip_families: IP_FAMILIES.indexOf(s.ipFamilies),
    canonical: s.canonical,
    ingress_use_waypoint: s.ingressUseWaypoint,
    weighted_waypoints: s.weightedWaypoints.map(w => ({
      destination: gatewayToWire(w.destination),
      weight: w.weight,
    })),
    // Who does not know of namespaces takes it for public.
    visibility: s.visibility === 'namespace' ? VISIBILITIES.indexOf(s.visibility) : 0,
    known_in: typeof s.visibility === 'string' ? [] : s.visibility,
  };
}

function visibilityFromWire(wire: WireFields): Visibility {
  const namespaces = readTexts(wire, 'known_in');
  return namespaces.length > 0 ? namespaces : readEnum(wire, 'visibility', VISIBILITIES);
}

function networkAddressFromWire(wire: WireFields): NetworkAddress {
  const bytes = readBytes(wire, 'address');
  const ip = ipText(bytes, 'address');
  const length = readOptionalNumber(wire, 'length');
  const prefixLength = length === undefined ? undefined : prefixBits(length, bytes, ip);
  return { network: readText(wire, 'network'), ip, prefixLength };
}

function loadBalancingFromWire(wire: WireFields): LoadBalancing {
  return {
    routingPreference: readEnums(wire, 'routing_preference', SCOPES),
    mode: readEnum(wire, 'mode', MODES),
    healthPolicy: readEnum(wire, 'health_policy', HEALTH_POLICIES),
  };
}

function weightedWaypointFromWire(wire: WireFields): Service['weightedWaypoints'][number] {
  const destination = gatewayField(wire, 'destination');
  if (destination === undefined) throw new InvalidField('destination', 'is absent; it is required');
  return { destination, weight: readNumber(wire, 'weight') };
}
