import { EMPTY_MATCH, type AuthorizationPolicy, type Match, type StringMatch } from '../authz/policy.ts';
import { isJsonObject, type JsonObject } from '../config/json.ts';
import { parseCidr } from '../workload/cidr.ts';
import { canonicalIp, ipFromBytes } from '../workload/ip.ts';
import {
  type GatewayAddress,
  type NetworkAddress,
  SERVICE_DEFAULTS,
  type Service,
  type ServicePort,
  type Workload,
} from '../workload/workload.ts';
import type { MeshResource } from './mesh-resource.ts';
import { checkPort, InvalidField } from './wire-fields.ts';

/** One item of a local file, or why it is none. */
export type LocalItem =
  | { readonly ok: true; readonly resource: MeshResource }
  | { readonly ok: false; readonly item: string; readonly reason: string };

/**
 * The file of `LOCAL_XDS_PATH`, with the field names of the incumbent ztunnel: lists `workloads`, `services` and `policies`.
 * A bad item is rejected alone. @throws InvalidField when the file as a whole is not of that shape.
 */
export function parseLocalConfig(value: unknown): readonly LocalItem[] {
  if (!isJsonObject(value))
    throw new InvalidField('file', 'is not an object with workloads, services, policies');
  known(value, ['workloads', 'services', 'policies']);
  return [
    ...items(value, 'workloads', w => ({ kind: 'workload', workload: workload(w) })),
    ...items(value, 'services', s => ({ kind: 'service', service: service(s) })),
    ...items(value, 'policies', p => ({ kind: 'policy', policy: policy(p) })),
  ];
}

function items(file: JsonObject, field: string, read: (item: JsonObject) => MeshResource): LocalItem[] {
  return list(file, field).map((value, i): LocalItem => {
    const item = `${field}[${i}]`;
    try {
      if (!isJsonObject(value)) throw new InvalidField(item, 'is not an object');
      return { ok: true, resource: read(value) };
    } catch (error) {
      if (error instanceof InvalidField) return { ok: false, item, reason: error.message };
      throw error;
    }
  });
}

const WORKLOAD_FIELDS = (
  'uid name namespace serviceAccount trustDomain workloadIps hostname network protocol node waypoint workloadName ' +
  'canonicalName canonicalRevision services nativeTunnel authorizationPolicies status clusterId hostNetwork capacity'
).split(' ');

function workload(item: JsonObject): Workload {
  known(item, WORKLOAD_FIELDS);
  const name = requiredText(item, 'name');
  const namespace = requiredText(item, 'namespace');
  const addresses = texts(item, 'workloadIps').map((ip, i) => ipOf(ip, `workloadIps[${i}]`));
  const hostname = text(item, 'hostname', '');
  return {
    uid: text(item, 'uid', `local//Pod/${namespace}/${name}`),
    name,
    namespace,
    addresses,
    hostname: addresses.length === 0 ? hostname : '',
    dnsName: addresses.length === 0 ? '' : hostname,
    network: text(item, 'network', ''),
    tunnelProtocol: oneOf(item, 'protocol', { TCP: 'none', HBONE: 'hbone' }, 'none'),
    trustDomain: text(item, 'trustDomain', 'cluster.local'),
    serviceAccount: text(item, 'serviceAccount', 'default'),
    waypoint: waypoint(item),
    networkGateway: undefined,
    node: text(item, 'node', ''),
    canonicalName: text(item, 'canonicalName', name),
    canonicalRevision: text(item, 'canonicalRevision', 'latest'),
    workloadType: 'pod',
    workloadName: text(item, 'workloadName', name),
    nativeTunnel: flag(item, 'nativeTunnel'),
    applicationTunnel: undefined,
    services: new Map(
      Object.entries(object(item, 'services')).map(([key, ports]) => [serviceKey(key), portMap(ports, key)]),
    ),
    authorizationPolicies: texts(item, 'authorizationPolicies'),
    status: oneOf(item, 'status', { Healthy: 'healthy', Unhealthy: 'unhealthy' }, 'healthy'),
    clusterId: text(item, 'clusterId', 'local'),
    locality: { region: '', zone: '', subzone: '' },
    networkMode: flag(item, 'hostNetwork') ? 'host_network' : 'standard',
    capacity: number(item, 'capacity', 1),
  };
}

function service(item: JsonObject): Service {
  known(item, ['name', 'namespace', 'hostname', 'vips', 'ports', 'subjectAltNames', 'waypoint']);
  return {
    ...SERVICE_DEFAULTS,
    name: requiredText(item, 'name'),
    namespace: requiredText(item, 'namespace'),
    hostname: requiredText(item, 'hostname'),
    addresses: texts(item, 'vips').map((vip, i) => networkAddress(vip, `vips[${i}]`)),
    ports: portMap(item['ports'] ?? {}, 'ports'),
    subjectAltNames: texts(item, 'subjectAltNames'),
    waypoint: waypoint(item),
  };
}

function policy(item: JsonObject): AuthorizationPolicy {
  known(item, ['name', 'namespace', 'scope', 'action', 'rules', 'dryRun']);
  const scopes = { Global: 'global', Namespace: 'namespace', WorkloadSelector: 'workload_selector' } as const;
  return {
    name: requiredText(item, 'name'),
    namespace: text(item, 'namespace', ''),
    scope: oneOf(item, 'scope', scopes, undefined),
    action: oneOf(item, 'action', { Allow: 'allow', Deny: 'deny' }, undefined),
    // Rules of clauses of matches.
    rules: lists(item['rules'], 'rules').map((rule, r) => ({
      clauses: lists(rule, `rules[${r}]`).map((clause, c) => ({
        matches: lists(clause, `rules[${r}][${c}]`).map((m, i) => match(m, `rules[${r}][${c}][${i}]`)),
      })),
    })),
    dryRun: flag(item, 'dryRun'),
    provider: undefined,
  };
}

const STRING_FIELDS = ['namespaces', 'notNamespaces', 'principals', 'notPrincipals'] as const;
const IP_FIELDS = ['sourceIps', 'notSourceIps', 'destinationIps', 'notDestinationIps'] as const;
const PORT_FIELDS = ['destinationPorts', 'notDestinationPorts'] as const;

function match(value: unknown, at: string): Match {
  if (!isJsonObject(value)) throw new InvalidField(at, 'is not an object');
  known(value, [...STRING_FIELDS, ...IP_FIELDS, ...PORT_FIELDS]);
  let result: Match = EMPTY_MATCH;
  for (const field of STRING_FIELDS) {
    result = { ...result, [field]: list(value, field).map((s, i) => stringMatch(s, `${at}.${field}[${i}]`)) };
  }
  for (const field of IP_FIELDS) {
    result = { ...result, [field]: texts(value, field).map((ip, i) => cidr(ip, `${at}.${field}[${i}]`)) };
  }
  for (const field of PORT_FIELDS) {
    result = { ...result, [field]: list(value, field).map((p, i) => port(p, `${at}.${field}[${i}]`)) };
  }
  return result;
}

function stringMatch(value: unknown, at: string): StringMatch {
  if (value === 'Presence' || value === 'presence') return { kind: 'presence' };
  const [entry, ...more] = isJsonObject(value) ? Object.entries(value) : [];
  const kind = (['exact', 'prefix', 'suffix'] as const).find(k => k === entry?.[0].toLowerCase());
  const content = entry?.[1];
  if (kind === undefined || typeof content !== 'string' || more.length > 0) {
    throw new InvalidField(at, 'is not one of {Exact: …}, {Prefix: …}, {Suffix: …}, Presence');
  }
  return { kind, value: content };
}

function cidr(value: string, at: string): Match['sourceIps'][number] {
  const parsed = parseCidr(value);
  const ip = parsed && ipFromBytes(parsed.bytes);
  if (parsed === undefined || ip === undefined)
    throw new InvalidField(at, `${JSON.stringify(value)} is no range`);
  return { ip, prefixLength: parsed.prefixLength };
}

/** `{destination: "<network>/<ip>" or "<namespace>/<hostname>", hboneMtlsPort: 15008}`. */
function waypoint(item: JsonObject): GatewayAddress | undefined {
  if (item['waypoint'] === undefined) return undefined;
  const gateway = object(item, 'waypoint');
  known(gateway, ['destination', 'hboneMtlsPort']);
  const destination = requiredText(gateway, 'destination');
  const hboneMtlsPort = checkPort(number(gateway, 'hboneMtlsPort', 15_008), 'waypoint.hboneMtlsPort', 1);
  const slash = destination.indexOf('/');
  const ip = canonicalIp(destination.slice(slash + 1));
  const before = destination.slice(0, Math.max(0, slash));
  if (ip !== undefined) return { kind: 'address', network: before, ip, hboneMtlsPort };
  const hostname = destination.slice(slash + 1);
  if (before === '' || hostname === '')
    throw new InvalidField('waypoint.destination', 'is neither network/ip nor namespace/hostname');
  return { kind: 'hostname', namespace: before, hostname, hboneMtlsPort };
}

function networkAddress(vip: string, at: string): NetworkAddress {
  const slash = vip.indexOf('/');
  return {
    network: vip.slice(0, Math.max(0, slash)),
    ip: ipOf(vip.slice(slash + 1), at),
    prefixLength: undefined,
  };
}

function portMap(value: unknown, at: string): readonly ServicePort[] {
  if (!isJsonObject(value)) throw new InvalidField(at, 'is not a map of service port to target port');
  return Object.entries(value).map(([from, to]) => ({
    servicePort: checkPort(Number(from), at, 1),
    targetPort: port(to, `${at}.${from}`),
    appProtocol: 'unknown',
  }));
}

function port(value: unknown, at: string): number {
  if (typeof value !== 'number') throw new InvalidField(at, 'is not a port');
  return checkPort(value, at, 1);
}

function ipOf(value: string, at: string): string {
  const ip = canonicalIp(value);
  if (ip === undefined) throw new InvalidField(at, `${JSON.stringify(value)} is no IP address`);
  return ip;
}

function serviceKey(key: string): string {
  if (!/^[^/]+\/[^/]+$/.test(key))
    throw new InvalidField('services', `${JSON.stringify(key)} is not namespace/hostname`);
  return key;
}

/** A misspelt field must not silently mean nothing. */
function known(item: JsonObject, fields: readonly string[]): void {
  for (const field of Object.keys(item)) {
    if (!fields.includes(field)) throw new InvalidField(field, `is no field here; use ${fields.join(', ')}`);
  }
}

function list(item: JsonObject, field: string): readonly unknown[] {
  return lists(item[field], field);
}

function lists(value: unknown, at: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new InvalidField(at, 'is not a list');
  return value;
}

function texts(item: JsonObject, field: string): readonly string[] {
  return list(item, field).map((value, i) => {
    if (typeof value !== 'string') throw new InvalidField(`${field}[${i}]`, 'is not a string');
    return value;
  });
}

function text(item: JsonObject, field: string, defaultValue: string): string {
  const value = item[field] ?? defaultValue;
  if (typeof value !== 'string') throw new InvalidField(field, 'is not a string');
  return value;
}

function requiredText(item: JsonObject, field: string): string {
  const value = text(item, field, '');
  if (value === '') throw new InvalidField(field, 'is required');
  return value;
}

function flag(item: JsonObject, field: string): boolean {
  const value = item[field] ?? false;
  if (typeof value !== 'boolean') throw new InvalidField(field, 'is not true or false');
  return value;
}

function number(item: JsonObject, field: string, defaultValue: number): number {
  const value = item[field] ?? defaultValue;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw new InvalidField(field, 'is not a whole number');
  return value;
}

function object(item: JsonObject, field: string): JsonObject {
  const value = item[field] ?? {};
  if (!isJsonObject(value)) throw new InvalidField(field, 'is not an object');
  return value;
}

/** By the names the incumbent writes, in any case. */
function oneOf<T extends string>(
  item: JsonObject,
  field: string,
  names: Readonly<Record<string, T>>,
  defaultValue: T | undefined,
): T {
  const value = item[field];
  if (value === undefined && defaultValue !== undefined) return defaultValue;
  const wanted = typeof value === 'string' ? value.toLowerCase() : undefined;
  const found = Object.entries(names).find(([name]) => name.toLowerCase() === wanted);
  if (found === undefined)
    throw new InvalidField(field, `${JSON.stringify(value)}: use ${Object.keys(names).join(', ')}`);
  return found[1];
}
