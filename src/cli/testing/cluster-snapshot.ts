import { parseAllDocuments } from 'yaml';
import { isJsonObject } from '#shared/config/json.ts';
import type { AskedProxy, ClusterSnapshot } from '../check/cluster-snapshot.ts';
import { decodeKubeObject, type KubeObject } from '../cluster/kube-object.ts';
import { decodeConfigDump } from '../config-dump.ts';
import { text } from '#shared/config/json-fields.ts';
import type { ProxyKind } from '../proxies.ts';
import type { SyncedProxy } from '../sync-status.ts';
import { NOW } from './test-cli.ts';

/** Objects of YAML documents. */
export function objectsOf(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml).flatMap(document => {
    const object: unknown = document.toJS();
    if (!isJsonObject(object)) return [];
    return [
      decodeKubeObject(object, {
        apiVersion: text(object, 'apiVersion'),
        kind: text(object, 'kind'),
        plural: '',
      }),
    ];
  });
}

/** A mesh of two nodes in which all is well; a test changes what it is about. */
export const HEALTHY_YAML = `
kind: Node
metadata: { name: n1 }
status: { nodeInfo: { kernelVersion: 6.12.1, operatingSystem: linux } }
---
kind: Node
metadata: { name: n2 }
status: { nodeInfo: { kernelVersion: 6.12.1, operatingSystem: linux } }
---
kind: Namespace
metadata: { name: istio-system }
---
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint } }
---
${proxyPod('controller-1', 'istio-system', 'n1', 'app.kubernetes.io/name: ambient-controller')}
---
${proxyPod('controller-2', 'istio-system', 'n2', 'app.kubernetes.io/name: ambient-controller')}
---
${proxyPod('ztunnel-1', 'istio-system', 'n1', 'app.kubernetes.io/name: ztunnel')}
---
${proxyPod('ztunnel-2', 'istio-system', 'n2', 'app.kubernetes.io/name: ztunnel')}
---
${proxyPod('waypoint-1', 'shop', 'n2', 'gateway.networking.k8s.io/gateway-name: waypoint')}
---
kind: Pod
metadata: { name: orders-0, namespace: shop, labels: { app: orders }, annotations: { ambient.istio.io/redirection: enabled } }
spec: { nodeName: n1 }
status: { phase: Running }
---
kind: Pod
metadata: { name: payments-0, namespace: shop, labels: { app: payments }, annotations: { ambient.istio.io/redirection: enabled } }
spec: { nodeName: n2 }
status: { phase: Running }
---
kind: Gateway
metadata: { name: waypoint, namespace: shop }
spec: { gatewayClassName: ambient-waypoint }
status: { conditions: [{ type: Programmed, status: 'True' }] }
---
kind: Lease
metadata: { name: ambient-controller, namespace: istio-system }
spec: { holderIdentity: controller-1, leaseDurationSeconds: 15, renewTime: '2026-01-01T11:59:55.000000Z' }
---
kind: ConfigMap
metadata: { name: istio-ca-root-cert, namespace: istio-system }
data: { root-cert.pem: ROOT }
---
kind: ConfigMap
metadata: { name: istio-ca-root-cert, namespace: shop }
data: { root-cert.pem: ROOT }
---
kind: CustomResourceDefinition
metadata:
  name: gateways.gateway.networking.k8s.io
  annotations: { gateway.networking.k8s.io/bundle-version: v1.6.3 }
---
kind: CustomResourceDefinition
metadata: { name: httproutes.gateway.networking.k8s.io }
${[
  'authorizationpolicies.security.istio.io',
  'peerauthentications.security.istio.io',
  'requestauthentications.security.istio.io',
  'virtualservices.networking.istio.io',
  'destinationrules.networking.istio.io',
  'serviceentries.networking.istio.io',
  'workloadentries.networking.istio.io',
  'telemetries.telemetry.istio.io',
]
  .map(name => `---\nkind: CustomResourceDefinition\nmetadata: { name: ${name} }\n`)
  .join('')}`;

function proxyPod(name: string, namespace: string, node: string, label: string): string {
  return `kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: { ${label} } }
spec:
  nodeName: ${node}
  volumes: [{ name: token, projected: { sources: [{ serviceAccountToken: { audience: istio-ca } }] } }]
status: { phase: Running, conditions: [{ type: Ready, status: 'True' }] }`;
}

export function healthySnapshot(): ClusterSnapshot {
  return snapshotOf(HEALTHY_YAML);
}

/** A cluster of these objects, in which every proxy of ours answers and is synced. */
export function snapshotOf(yaml: string): ClusterSnapshot {
  const all = objectsOf(yaml);
  const ofKind = (kind: string): KubeObject[] => all.filter(o => o.kind === kind);
  return {
    nowMs: NOW,
    clientVersion: '0.1.0',
    serverVersion: 'v1.36.3',
    nodes: ofKind('Node'),
    namespaces: ofKind('Namespace'),
    pods: ofKind('Pod'),
    services: ofKind('Service'),
    crds: ofKind('CustomResourceDefinition'),
    gateways: ofKind('Gateway'),
    networkPolicies: ofKind('NetworkPolicy'),
    leases: ofKind('Lease'),
    deployments: ofKind('Deployment'),
    daemonSets: ofKind('DaemonSet'),
    configMaps: ofKind('ConfigMap'),
    events: ofKind('Event'),
    proxies: [
      asked('controller', 'controller-1', ''),
      asked('controller', 'controller-2', ''),
      asked('ztunnel', 'ztunnel-1', 'n1'),
      asked('ztunnel', 'ztunnel-2', 'n2'),
      asked('waypoint', 'waypoint-1', 'n2'),
    ],
    nodeReports: [
      { node: 'n1', pods: [], warnings: [], waiting: [] },
      { node: 'n2', pods: [], warnings: [], waiting: [] },
    ],
    synced: [
      syncedProxy('ztunnel-1.istio-system'),
      syncedProxy('ztunnel-2.istio-system'),
      syncedProxy('waypoint-1.shop'),
    ],
    rejected: [],
    others: [],
    unlisted: new Set(),
    forbidden: [],
  };
}

export interface DumpFields {
  readonly version?: string;
  readonly state?: string;
  readonly error?: string;
  readonly leafEnds?: string;
  readonly root?: string;
  readonly rootEnds?: string;
  readonly intermediateEnds?: string;
  readonly warnings?: readonly string[];
}

/** A proxy that answered. */
export function asked(kind: ProxyKind, name: string, node: string, fields: DumpFields = {}): AskedProxy {
  const { error, leafEnds = '2026-01-02T00:00:00Z', root = 'r1', rootEnds = '2035-01-01T00:00:00Z' } = fields;
  const notBefore = '2026-01-01T00:00:00Z';
  const certificate = {
    identity: 'spiffe://cluster.local/ns/shop/sa/orders',
    state: fields.state ?? 'Available',
    error,
    certChain: [
      { type: 'Leaf', valid: true, serial: 'a1', notBefore, notAfter: leafEnds },
      ...(fields.intermediateEnds === undefined
        ? []
        : [
            { type: 'Intermediate', valid: true, serial: 'i1', notBefore, notAfter: fields.intermediateEnds },
          ]),
      { type: 'Root', valid: true, serial: root, notBefore, notAfter: rootEnds },
    ],
  };
  const dump = decodeConfigDump({
    config: { engine: { name: 'native', reason: 'self-test passed' } },
    version: fields.version ?? '0.1.0',
    node,
    certificates: kind === 'controller' ? [] : [certificate],
    warnings: fields.warnings ?? [],
  });
  const namespace = kind === 'waypoint' ? 'shop' : 'istio-system';
  return {
    ref: { kind, name, pod: name, node, namespace, admin: { socketPath: '' } },
    dump,
    error: undefined,
  };
}

export function syncedProxy(name: string, state = 'synced', lastNack = ''): SyncedProxy {
  const answeredAt = '2026-01-01T11:50:00Z';
  return {
    name,
    kind: 'ztunnel',
    cluster: 'Kubernetes',
    version: '0.1.0',
    controller: 'controller-1',
    connectedSince: answeredAt,
    types: [{ type: 'address', state, pending: 0, sentAt: answeredAt, answeredAt, lastNack }],
  };
}
