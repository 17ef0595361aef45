import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { children, text, texts } from '#shared/config/json-fields.ts';

/**
 * The parts of a proxy's `/config_dump` that the commands show. The dump comes from a proxy that may be of another version:
 * what is missing is shown as empty, what has another type is left out.
 */
export interface ConfigDump {
  readonly version: string;
  readonly node: string;
  readonly workloads: readonly DumpedWorkload[];
  readonly services: readonly DumpedService[];
  readonly policies: readonly DumpedPolicy[];
  readonly certificates: readonly DumpedCertificate[];
  /** What the traffic threads run on, and why; undefined where the proxy does not tell. */
  readonly engine: DumpedEngine | undefined;
  /** What is amiss with the process though it goes on; a sentence each. */
  readonly warnings: readonly string[];
  readonly raw: JsonObject;
}

export interface DumpedEngine {
  readonly name: string;
  readonly reason: string;
}

export interface DumpedWorkload {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  readonly node: string;
  readonly waypoint: string;
  readonly protocol: string;
  readonly identity: string;
  readonly status: string;
  readonly workloadName: string;
  readonly serviceNames: readonly string[];
  readonly raw: JsonObject;
}

export interface DumpedService {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly vips: readonly string[];
  readonly waypoint: string;
  /** Waypoints that share its connections, where there are several. */
  readonly weightedWaypoints: readonly { readonly waypoint: string; readonly weight: number }[];
  readonly raw: JsonObject;
}

export interface DumpedPolicy {
  readonly name: string;
  readonly namespace: string;
  readonly action: string;
  readonly scope: string;
  readonly raw: JsonObject;
}

export interface DumpedCertificate {
  readonly identity: string;
  readonly state: string;
  /** Why the last attempt to get one failed; empty when it did not. */
  readonly error: string;
  readonly chain: readonly {
    type: string;
    valid: boolean;
    serial: string;
    notAfter: string;
    notBefore: string;
  }[];
  readonly raw: JsonObject;
}

export function decodeConfigDump(value: unknown): ConfigDump {
  const raw = isJsonObject(value) ? value : {};
  return {
    version: text(raw, 'version'),
    node: text(raw, 'node'),
    workloads: children(raw, 'workloads').map(decodeWorkload),
    services: children(raw, 'services').map(decodeService),
    policies: children(raw, 'policies').map(decodePolicy),
    certificates: children(raw, 'certificates').map(decodeCertificate),
    warnings: texts(raw, 'warnings'),
    engine: decodeEngine(raw['config']),
    raw,
  };
}

function decodeEngine(config: unknown): DumpedEngine | undefined {
  const engine = isJsonObject(config) ? config['engine'] : undefined;
  return isJsonObject(engine) ? { name: text(engine, 'name'), reason: text(engine, 'reason') } : undefined;
}

function decodeWorkload(raw: JsonObject): DumpedWorkload {
  const services = raw['services'];
  const [trustDomain, namespace, account] = [
    text(raw, 'trustDomain'),
    text(raw, 'namespace'),
    text(raw, 'serviceAccount'),
  ];
  return {
    uid: text(raw, 'uid'),
    name: text(raw, 'name'),
    namespace,
    addresses: texts(raw, 'addresses'),
    node: text(raw, 'node'),
    waypoint: gatewayText(raw['waypoint']),
    protocol: protocolText(text(raw, 'tunnelProtocol')),
    identity: `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`,
    status: text(raw, 'status'),
    workloadName: text(raw, 'workloadName'),
    serviceNames: isJsonObject(services) ? Object.keys(services) : [],
    raw,
  };
}

function protocolText(protocol: string): string {
  return protocol === 'hbone' ? 'HBONE' : protocol === 'legacy_istio_mtls' ? 'LEGACY_ISTIO_MTLS' : 'TCP';
}

function decodeService(raw: JsonObject): DumpedService {
  return {
    name: text(raw, 'name'),
    namespace: text(raw, 'namespace'),
    hostname: text(raw, 'hostname'),
    vips: children(raw, 'addresses').map(addressText),
    waypoint: gatewayText(raw['waypoint']),
    weightedWaypoints: children(raw, 'weightedWaypoints').map(one => ({
      waypoint: gatewayText(one['destination']),
      weight: Number(text(one, 'weight')) || 0,
    })),
    raw,
  };
}

function addressText(raw: JsonObject): string {
  const length = text(raw, 'prefixLength');
  return length === '' ? text(raw, 'ip') : `${text(raw, 'ip')}/${length}`;
}

function decodePolicy(raw: JsonObject): DumpedPolicy {
  return {
    name: text(raw, 'name'),
    namespace: text(raw, 'namespace'),
    action: pascal(text(raw, 'action')),
    scope: pascal(text(raw, 'scope')),
    raw,
  };
}

function decodeCertificate(raw: JsonObject): DumpedCertificate {
  const chain = children(raw, 'certChain').map(c => ({
    type: text(c, 'type'),
    valid: c['valid'] === true,
    serial: text(c, 'serial'),
    notAfter: text(c, 'notAfter'),
    notBefore: text(c, 'notBefore'),
  }));
  return {
    identity: text(raw, 'identity'),
    state: text(raw, 'state'),
    error: text(raw, 'error'),
    chain,
    raw,
  };
}

function gatewayText(value: unknown): string {
  if (!isJsonObject(value)) return 'None';
  return text(value, 'kind') === 'hostname'
    ? `${text(value, 'namespace')}/${text(value, 'hostname')}`
    : text(value, 'ip');
}

function pascal(value: string): string {
  return value
    .split('_')
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
