import type { JsonObject } from '#shared/config/json.ts';
import { OWN_NAME as ROOT_BUNDLE } from '../kube/root-bundle.ts';
import { CANONICAL_NAME, DATAPLANE_MODE, TUNNEL } from '../translate/mesh-labels.ts';
import type { GatewaySpec } from './gateway-spec.ts';
import type { WaypointTemplate } from './waypoint-template.ts';

/** Of the image's user; nothing in a waypoint needs more. */
const USER = 65_532;
const TOKEN_SECONDS = 43_200;
/** What is left of the grace period when the drain is over, for the process to end by itself. */
const EXIT_SECONDS = 2;

/** The pod of a waypoint: as little as it can do with, and ready only when it can carry traffic. */
export function podTemplate(
  gateway: GatewaySpec,
  labels: JsonObject,
  selector: JsonObject,
  template: WaypointTemplate,
): JsonObject {
  const { options } = template;
  const { imagePullSecrets, nodeSelector, priorityClassName, tolerations } = options;
  // What the Gateway says itself holds.
  const annotations = { ...options.podAnnotations, ...Object.fromEntries(gateway.annotations) };
  return {
    metadata: {
      labels: {
        ...labels,
        [CANONICAL_NAME]: gateway.name,
        // It speaks HBONE itself, and its traffic must not be captured once more.
        [TUNNEL]: 'http',
        [DATAPLANE_MODE]: 'none',
        'sidecar.istio.io/inject': 'false',
      },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      serviceAccountName: gateway.name,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: options.terminationGracePeriodSeconds,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER,
        runAsGroup: USER,
        fsGroup: USER,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      affinity: apartFromEachOther(selector),
      ...(imagePullSecrets.length > 0 && { imagePullSecrets }),
      ...(Object.keys(nodeSelector).length > 0 && { nodeSelector }),
      ...(tolerations.length > 0 && { tolerations }),
      ...(priorityClassName !== undefined && { priorityClassName }),
      containers: [container(gateway, template)],
      volumes: volumes(),
    },
  };
}

function container(gateway: GatewaySpec, template: WaypointTemplate): JsonObject {
  const { imagePullPolicy, resources } = template.options;
  const ready = { httpGet: { path: '/healthz/ready', port: 15_021 } };
  return {
    name: 'waypoint',
    image: template.image,
    imagePullPolicy,
    command: ['waypoint'],
    env: environment(gateway, template),
    ports: [
      { name: 'mesh', containerPort: 15_008, protocol: 'TCP' },
      { name: 'http-metrics', containerPort: 15_020, protocol: 'TCP' },
      { name: 'http-ready', containerPort: 15_021, protocol: 'TCP' },
    ],
    startupProbe: { ...ready, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 120 },
    readinessProbe: { ...ready, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 3 },
    resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'ca-root-cert', mountPath: '/var/run/secrets/istio', readOnly: true },
      { name: 'istio-token', mountPath: '/var/run/secrets/tokens', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}

/** The operator's variables go before ours: he may know better, and each name is there once. */
function environment(gateway: GatewaySpec, template: WaypointTemplate): readonly JsonObject[] {
  const { env, terminationGracePeriodSeconds } = template.options;
  const drainSeconds = Math.max(1, terminationGracePeriodSeconds - EXIT_SECONDS);
  const fixed: readonly (readonly [string, string])[] = [
    ['GATEWAY_NAME', gateway.name],
    ['SERVICE_ACCOUNT', gateway.name],
    ['XDS_ADDRESS', template.xdsAddress],
    ['CLUSTER_ID', template.clusterId],
    ['CLUSTER_DOMAIN', template.clusterDomain],
    ['TRUST_DOMAIN', template.trustDomain],
    ['NETWORK', template.network],
    ['LOG_LEVEL', template.logLevel],
    ['LOG_FORMAT', template.logFormat],
    ['TERMINATION_GRACE_PERIOD_SECONDS', String(drainSeconds)],
  ];
  const values = new Map([...fixed.filter(([, value]) => value !== ''), ...env]);
  const fields = FROM_FIELDS.filter(([name]) => !values.has(name));
  return [
    ...fields.map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } })),
    ...[...values].map(([name, value]) => ({ name, value })),
  ];
}

const FROM_FIELDS = [
  ['POD_NAME', 'metadata.name'],
  ['POD_NAMESPACE', 'metadata.namespace'],
  ['NODE_NAME', 'spec.nodeName'],
  ['INSTANCE_IP', 'status.podIP'],
] as const;

/** Two pods on one node would go with it together. */
function apartFromEachOther(labelSelector: JsonObject): JsonObject {
  const term = (weight: number, topologyKey: string) => ({
    weight,
    podAffinityTerm: { topologyKey, labelSelector },
  });
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        term(100, 'kubernetes.io/hostname'),
        term(50, 'topology.kubernetes.io/zone'),
      ],
    },
  };
}

function volumes(): readonly JsonObject[] {
  const serviceAccountToken = {
    path: 'istio-token',
    audience: 'istio-ca',
    expirationSeconds: TOKEN_SECONDS,
  };
  return [
    // Ours alone: the other one may be another mesh's.
    { name: 'ca-root-cert', configMap: { name: ROOT_BUNDLE } },
    { name: 'istio-token', projected: { sources: [{ serviceAccountToken }] } },
    { name: 'tmp', emptyDir: { medium: 'Memory' } },
  ];
}
