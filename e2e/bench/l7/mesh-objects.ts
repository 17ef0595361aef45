import {
  BENCH_SERVICES,
  type BenchService,
  HBONE_PORT,
  rulePrefixes,
  SERVICE_PORT,
  type Slot,
} from './address-plan.ts';
import { NAMESPACE, PEER_ACCOUNT, REQUEST_TIMEOUT_S, RETRY, WAYPOINT_ACCOUNT } from './features.ts';
import type { Protocol } from './plan.ts';

const WAYPOINT_VIP = '10.96.100.1';
const PORT_NAMES: Readonly<Record<Protocol, string>> = { h1: 'http', h2: 'http2', grpc: 'grpc' };

/** The bench as objects of a cluster, for a controller to read: the waypoint is told of it as in production. */
export function meshObjects({ waypoint, endpoint }: Slot): readonly object[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    gateway(),
    service(WAYPOINT_ACCOUNT, WAYPOINT_VIP, HBONE_PORT, 'mesh'),
    pod('waypoint-0', WAYPOINT_ACCOUNT, waypoint),
    pod('endpoint-0', PEER_ACCOUNT, endpoint),
    ...BENCH_SERVICES.flatMap(each => [benchService(each), slice(each, endpoint), virtualService(each)]),
  ];
}

function gateway(): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: metadata('waypoint', { 'istio.io/waypoint-for': 'service' }),
    spec: {
      gatewayClassName: 'ambient-waypoint',
      listeners: [{ name: 'mesh', port: HBONE_PORT, protocol: 'HBONE' }],
    },
  };
}

function metadata(name: string, labels: Readonly<Record<string, string>> = {}): object {
  return { name, namespace: NAMESPACE, labels };
}

function service(
  name: string,
  clusterIP: string,
  port: number,
  portName: string,
  labels: Readonly<Record<string, string>> = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(name, labels),
    spec: { clusterIP, ports: [{ name: portName, port, targetPort: port }] },
  };
}

function benchService({ name, vip, protocol, targetPort }: BenchService): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(name, { 'istio.io/use-waypoint': 'waypoint' }),
    spec: {
      clusterIP: vip,
      selector: { app: PEER_ACCOUNT },
      ports: [{ name: PORT_NAMES[protocol], port: SERVICE_PORT, targetPort }],
    },
  };
}

function slice({ name, protocol, targetPort }: BenchService, endpoint: string): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: metadata(`${name}-slice`, { 'kubernetes.io/service-name': name }),
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: [endpoint],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', name: 'endpoint-0', namespace: NAMESPACE },
      },
    ],
    ports: [{ name: PORT_NAMES[protocol], port: targetPort, protocol: 'TCP' }],
  };
}

/** They speak HBONE themselves, as the label says. */
function pod(name: string, serviceAccountName: string, ip: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata(name, { app: serviceAccountName, 'networking.istio.io/tunnel': 'http' }),
    spec: { nodeName: 'node', serviceAccountName, containers: [] },
    status: { phase: 'Running', podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function virtualService({ name, rules }: BenchService): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: metadata(name),
    spec: {
      hosts: [name],
      http: rulePrefixes(rules).map((prefix, i) => ({
        name: `rule-${i}`,
        match: [{ uri: { prefix } }],
        route: [{ destination: { host: name } }],
        timeout: `${REQUEST_TIMEOUT_S}s`,
        retries: { attempts: RETRY.attempts, perTryTimeout: `${RETRY.perTryTimeoutS}s`, retryOn: RETRY.on },
      })),
    },
  };
}
