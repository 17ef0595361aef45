import type { JsonObject } from '#shared/config/json.ts';
import { VERSION } from '#shared/config/version.ts';

/** What the tests make. Pods run the image of e2e/kube/image. */
const IMAGE = process.env['E2E_IMAGE'] ?? `ambient-e2e:${VERSION}`;

export interface PodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string | undefined;
  readonly serviceAccount?: string;
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly hostNetwork?: boolean;
  /** More of the container. */
  readonly container?: JsonObject;
  /** More of the pod. */
  readonly spec?: JsonObject;
}

const SLEEP = ['sleep', '1000000'];
export const ECHO = ['node', '/e2e/echo.ts'];
export const NGINX = ['nginx'];

/** The `spec` of a pod with one container. */
export function podSpec(options: PodOptions): JsonObject {
  const { command = SLEEP, container = {}, env = {}, hostNetwork, node, serviceAccount, spec = {} } = options;
  return {
    terminationGracePeriodSeconds: 2,
    ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
    ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
    ...(hostNetwork === true ? { hostNetwork, dnsPolicy: 'ClusterFirstWithHostNet' } : {}),
    containers: [
      {
        name: 'main',
        image: IMAGE,
        imagePullPolicy: 'IfNotPresent',
        // Without it a pod gets a hundredth of what others do where there is not enough: the tests are not about that.
        resources: { requests: { cpu: '100m' } },
        command,
        env: Object.entries(env).map(([name, value]) => ({ name, value })),
        ...container,
      },
    ],
    ...spec,
  };
}

export function pod(name: string, options: PodOptions = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name, ...options.labels } },
    spec: podSpec(options),
  };
}

const READY = { readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 } };

/** An echo server by the name of its app, ready when it answers. */
export function echoPod(name: string, options: PodOptions = {}): JsonObject {
  return pod(name, { command: ECHO, container: READY, ...options });
}

export interface WorkloadOptions extends PodOptions {
  readonly kind?: 'Deployment' | 'StatefulSet';
  readonly replicas?: number;
  readonly strategy?: JsonObject;
}

/** A Deployment (or StatefulSet) of echo servers. */
export function echoWorkload(name: string, options: WorkloadOptions = {}): JsonObject {
  const { kind = 'Deployment', replicas = 1, strategy } = options;
  const labels = { app: name, ...options.labels };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      ...(kind === 'StatefulSet' ? { serviceName: name, podManagementPolicy: 'Parallel' } : {}),
      ...(strategy === undefined ? {} : { strategy }),
      template: {
        metadata: { labels },
        spec: podSpec({ command: ECHO, container: READY, ...options }),
      },
    },
  };
}

const ECHO_PORTS = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'grpc', port: 8081, targetPort: 8081, appProtocol: 'kubernetes.io/h2c' },
  { name: 'tcp', port: 9000, targetPort: 9000 },
  { name: 'udp', port: 9001, targetPort: 9001, protocol: 'UDP' },
];

export interface ServiceOptions {
  readonly app?: string;
  readonly headless?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ports?: readonly JsonObject[];
}

export function service(name: string, options: ServiceOptions = {}): JsonObject {
  const { app = name, headless, labels = {}, ports = ECHO_PORTS } = options;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: { selector: { app }, ports, ...(headless === true ? { clusterIP: 'None' } : {}) },
  };
}

export function serviceAccount(name: string): JsonObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } };
}

/** A policy for all workloads of its namespace, or those of an app. */
export function authorizationPolicy(name: string, spec: JsonObject, app?: string): JsonObject {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name },
    spec: { ...(app === undefined ? {} : { selector: { matchLabels: { app } } }), ...spec },
  };
}

export function inNamespace(namespace: string, object: JsonObject): JsonObject {
  const metadata = object['metadata'];
  return { ...object, metadata: { ...(typeof metadata === 'object' ? metadata : {}), namespace } };
}
