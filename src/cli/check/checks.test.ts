import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { issueRoot } from '#shared/pki/certificate.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { asked, healthySnapshot, objectsOf, snapshotOf, syncedProxy } from '../testing/cluster-snapshot.ts';
import { expectGolden } from '../testing/golden.ts';
import { INSTALLED_CHECKS, PRE_CHECKS } from './all-checks.ts';
import { type CheckResult, hasFatal, runChecks } from './check.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { checkReport, DOCS_PAGE } from './report.ts';

const HEALTHY = healthySnapshot();

function change(fields: Partial<ClusterSnapshot>): ClusterSnapshot {
  return { ...HEALTHY, ...fields };
}

/** The healthy cluster with more objects, or others in place of those of the same name. */
function withObjects(yaml: string): ClusterSnapshot {
  const added = objectsOf(yaml);
  const merge = (own: ClusterSnapshot['pods'] | undefined, kind: string): ClusterSnapshot['pods'] => {
    const more = added.filter(o => o.kind === kind);
    const kept = (own ?? []).filter(o => !more.some(m => m.name === o.name && m.namespace === o.namespace));
    return [...kept, ...more];
  };
  return change({
    nodes: merge(HEALTHY.nodes, 'Node'),
    namespaces: merge(HEALTHY.namespaces, 'Namespace'),
    pods: merge(HEALTHY.pods, 'Pod'),
    services: merge(HEALTHY.services, 'Service'),
    gateways: merge(HEALTHY.gateways, 'Gateway'),
    leases: merge(HEALTHY.leases, 'Lease'),
    configMaps: merge(HEALTHY.configMaps, 'ConfigMap'),
    networkPolicies: merge(HEALTHY.networkPolicies, 'NetworkPolicy'),
    deployments: merge(HEALTHY.deployments, 'Deployment'),
    daemonSets: merge(HEALTHY.daemonSets, 'DaemonSet'),
    events: merge(HEALTHY.events, 'Event'),
  });
}

function resultOf(id: string, snapshot: ClusterSnapshot): CheckResult | undefined {
  return runChecks([...INSTALLED_CHECKS, ...PRE_CHECKS], snapshot).find(r => r.id === id);
}

const ZTUNNEL_PROXIES = HEALTHY.proxies.filter(p => p.ref.name !== 'ztunnel-1');
const policy = (name: string, spec: string): string =>
  `kind: NetworkPolicy\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}`;

const meshPod = (name: string, status: string): string =>
  `kind: Pod\nmetadata: { name: ${name}, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }\nspec: { nodeName: n1 }\nstatus: ${status}`;

const pendingPod = (name: string): string =>
  `kind: Pod\nmetadata: { name: ${name}, namespace: shop }\nspec: { nodeName: n1 }\nstatus: { phase: Pending }`;
const refusal = (pod: string, message: string): string =>
  `kind: Event\nmetadata: { name: ${pod}.1, namespace: shop }\nreason: FailedCreatePodSandBox\nmessage: "Failed to create pod sandbox: ${message}"\ninvolvedObject: { name: ${pod}, namespace: shop }`;

const NEW_ROOT = await issueRoot(
  { subject: 'CN=new', key: await generateKey(softwareProvider, false) },
  { notBeforeMs: 0, notAfterMs: 4_000_000_000_000 },
);

const DENIED_CANARY =
  'kind: Service\nmetadata: { name: pay, namespace: shop }\nstatus: { conditions: [{ type: istio.io/WaypointBound, status: "False", reason: AttachmentDenied, message: "canary: waypoint infra/w does not allow namespace shop; all connections go to waypoint shop/w" }] }';

/** [sentence, check, the cluster, what the problem says] */
const PROBLEMS: readonly (readonly [string, string, ClusterSnapshot, RegExp])[] = [
  [
    'an old API server',
    'kubernetes-version',
    change({ serverVersion: 'v1.27.4' }),
    /the API server is v1.27.4: upgrade/,
  ],
  [
    'no Gateway API',
    'gateway-api',
    change({ gateways: undefined }),
    /waypoints and routes need the Gateway API/,
  ],
  [
    'a Gateway API without the kind of its routes',
    'gateway-api',
    change({ crds: (HEALTHY.crds ?? []).filter(crd => !crd.name.startsWith('httproutes.')) }),
    /httproutes.gateway.networking.k8s.io is missing, and with it every HTTPRoute: .*your routes again/,
  ],
  [
    'an old kernel',
    'kernel-version',
    withObjects('kind: Node\nmetadata: { name: n2 }\nstatus: { nodeInfo: { kernelVersion: 4.18.0-el8 } }'),
    /node n2 has kernel 4.18.0-el8: capture needs nf_tables of 5.2/,
  ],
  [
    'a node of another system',
    'kernel-version',
    withObjects('kind: Node\nmetadata: { name: w1 }\nstatus: { nodeInfo: { operatingSystem: windows } }'),
    /node w1 is not Linux/,
  ],
  [
    'rights that are missing',
    'may-install',
    change({ forbidden: ['create clusterroles'] }),
    /you may not create clusterroles/,
  ],
  [
    'a mesh that is there',
    'not-installed',
    withObjects(
      'kind: DaemonSet\nmetadata: { name: ztunnel, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }',
    ),
    /DaemonSet istio-system\/ztunnel is there: "install" upgrades it/,
  ],
  [
    'another mesh that is there',
    'no-other-mesh',
    withObjects(
      'kind: Deployment\nmetadata: { name: istiod, namespace: istio-system, labels: { app: istiod } }',
    ),
    /Deployment istio-system\/istiod captures or configures the same pods/,
  ],
  [
    'Cilium that removes other plugins',
    'cilium',
    withObjects(
      'kind: ConfigMap\nmetadata: { name: cilium-config, namespace: kube-system }\ndata: { cni-exclusive: "true" }',
    ),
    /Cilium removes other plugins from the CNI chain: set cni.exclusive=false/,
  ],
  [
    'Cilium that translates service addresses inside pods',
    'cilium',
    withObjects(
      'kind: ConfigMap\nmetadata: { name: cilium-config, namespace: kube-system }\ndata: { cni-exclusive: "false", kube-proxy-replacement: "true" }',
    ),
    /set socketLB.hostNamespaceOnly=true/,
  ],
  ['no controller', 'controller-ready', snapshotOf(''), /there is no controller: install the mesh/],
  [
    'a rollout whose image is not there, while the old pods serve',
    'pods-start',
    withObjects(
      meshPod(
        'ztunnel-3',
        '{ phase: Pending, containerStatuses: [{ state: { waiting: { reason: ImagePullBackOff } } }] }',
      ),
    ),
    /pod istio-system\/ztunnel-3 is ImagePullBackOff: kubectl -n istio-system describe pod ztunnel-3/,
  ],
  [
    'a proxy that ends again and again, and how',
    'pods-start',
    withObjects(
      meshPod(
        'ztunnel-3',
        '{ phase: Running, containerStatuses: [{ state: { waiting: { reason: CrashLoopBackOff } }, lastState: { terminated: { reason: Error, exitCode: 1 } } }] }',
      ),
    ),
    /pod istio-system\/ztunnel-3 is CrashLoopBackOff \(Error, exit code 1\): ambientctl logs ztunnel-3/,
  ],
  [
    'a proxy that had too little memory',
    'pods-start',
    withObjects(
      meshPod(
        'ztunnel-3',
        '{ phase: Running, conditions: [{ type: Ready, status: "True" }], containerStatuses: [{ state: { running: {} }, lastState: { terminated: { reason: OOMKilled, exitCode: 137, finishedAt: "2026-01-01T11:50:00Z" } } }] }',
      ),
    ),
    /pod istio-system\/ztunnel-3 ended 10m ago \(OOMKilled\) and was started again: kubectl -n istio-system logs ztunnel-3 --previous/,
  ],
  [
    'a replica that waits for something',
    'pods-start',
    withObjects(meshPod('ztunnel-3', '{ phase: Running, startTime: "2026-01-01T11:57:00Z" }')),
    /pod istio-system\/ztunnel-3 runs for 3m and is not ready: ambientctl logs ztunnel-3/,
  ],
  [
    'a pod that no node takes',
    'pods-start',
    withObjects(
      meshPod(
        'ztunnel-3',
        '{ phase: Pending, startTime: "2026-01-01T11:57:00Z", conditions: [{ type: PodScheduled, status: "False", message: "0/2 nodes are available: Insufficient memory" }] }',
      ),
    ),
    /pod istio-system\/ztunnel-3 is on no node: 0\/2 nodes are available: Insufficient memory/,
  ],
  [
    'a controller that somebody scaled down is not installed again',
    'controller-ready',
    snapshotOf(
      'kind: Deployment\nmetadata: { name: ambient-controller, namespace: m, labels: { app.kubernetes.io/name: ambient-controller } }\nspec: { replicas: 0 }',
    ),
    /Deployment m\/ambient-controller is scaled to 0: kubectl -n m scale deployment ambient-controller --replicas=2/,
  ],
  [
    'a controller whose pods may not be made',
    'controller-ready',
    snapshotOf(
      'kind: Deployment\nmetadata: { name: ambient-controller, namespace: m, labels: { app.kubernetes.io/name: ambient-controller } }\nspec: { replicas: 2 }',
    ),
    /Deployment m\/ambient-controller has no pod: kubectl -n m describe deployment ambient-controller/,
  ],
  [
    'a DaemonSet that is kept from every node',
    'ztunnel-on-every-node',
    snapshotOf(
      'kind: DaemonSet\nmetadata: { name: ztunnel, namespace: m, labels: { app.kubernetes.io/name: ztunnel } }\nstatus: { desiredNumberScheduled: 0 }',
    ),
    /DaemonSet m\/ztunnel wants a pod on no node: .*nodeSelector/,
  ],
  [
    'a controller that does not start',
    'controller-ready',
    snapshotOf(
      'kind: Pod\nmetadata: { name: c, namespace: m, labels: { app.kubernetes.io/name: ambient-controller } }\nstatus: { phase: Pending, containerStatuses: [{ state: { waiting: { reason: ImagePullBackOff } } }] }',
    ),
    /pod m\/c is ImagePullBackOff: kubectl -n m describe pod c/,
  ],
  [
    'one controller on two nodes',
    'controller-replicas',
    change({ pods: HEALTHY.pods.filter(p => p.name !== 'controller-2') }),
    /1 controller is ready: set controller.replicas to 2/,
  ],
  ['no lease', 'leases', change({ leases: [] }), /no controller has taken the lease/],
  [
    'a lease that ended',
    'leases',
    withObjects(
      "kind: Lease\nmetadata: { name: ambient-controller, namespace: istio-system }\nspec: { holderIdentity: controller-1, leaseDurationSeconds: 15, renewTime: '2026-01-01T11:58:00Z' }",
    ),
    /lease istio-system\/ambient-controller of controller-1 ended 105 s ago and nobody has taken it/,
  ],
  [
    'a lease of nobody who lives',
    'leases',
    withObjects(
      "kind: Lease\nmetadata: { name: ambient-controller, namespace: istio-system }\nspec: { holderIdentity: controller-9, leaseDurationSeconds: 15, renewTime: '2026-01-01T11:59:59Z' }",
    ),
    /is held by controller-9, which is no running controller/,
  ],
  [
    'a definition that is missing',
    'crds',
    change({ crds: HEALTHY.crds?.slice(0, -1) }),
    /telemetries.telemetry.istio.io is missing, and with it every object .*your objects are yours to apply again/,
  ],
  [
    'a proxy of another version',
    'versions',
    change({ proxies: [asked('ztunnel', 'ztunnel-1', 'n1', { version: '0.0.9' })] }),
    /ztunnel ztunnel-1 is 0.0.9, this client 0.1.0/,
  ],
  [
    'an object that is rejected',
    'rejected-objects',
    change({ rejected: [{ name: 'HTTPRoute/shop/split', reasons: ['spec.rules[0] has no backend'] }] }),
    /HTTPRoute\/shop\/split: spec.rules\[0\] has no backend; the last good version stays in force/,
  ],
  [
    'objects of a kind that is not read',
    'other-kinds',
    change({
      others: [
        {
          kind: 'EnvoyFilter',
          group: 'networking.istio.io',
          instead: 'no proxy here is Envoy',
          names: ['shop/a', 'shop/b', 'shop/c', 'shop/d'],
        },
      ],
    }),
    /EnvoyFilter \(networking.istio.io\) shop\/a, shop\/b, shop\/c and 1 more: not read; no proxy here is Envoy/,
  ],
  [
    'objects of such a kind that may not be listed',
    'other-kinds',
    change({ others: [{ kind: 'WasmPlugin', group: 'g', instead: 'ask a service', names: undefined }] }),
    /WasmPlugin \(g\) is installed and not read, and you may not list its objects: ask a service/,
  ],
  [
    'a node without ztunnel',
    'ztunnel-on-every-node',
    change({ pods: HEALTHY.pods.filter(p => p.name !== 'ztunnel-2') }),
    /node n2 has no ztunnel/,
  ],
  [
    'a ztunnel that knows nothing yet',
    'ztunnel-on-every-node',
    {
      ...withObjects(
        'kind: Pod\nmetadata: { name: ztunnel-2, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }\nspec: { nodeName: n2 }\nstatus: { phase: Running, conditions: [{ type: Ready, status: "False" }] }',
      ),
      nodeReports: [
        {
          node: 'n2',
          pods: [],
          warnings: [],
          waiting: [
            'captured pods are refused: no usable snapshot in /s',
            'pod shop/a stays',
            'pod shop/b stays',
          ],
        },
      ],
    },
    /node n2: pod istio-system\/ztunnel-2 is .*not ready: captured pods are refused: no usable snapshot in \/s \(and 2 more\)/,
  ],
  [
    'a node that is kept empty',
    'node-taints',
    withObjects(
      'kind: Node\nmetadata: { name: n2 }\nspec: { taints: [{ key: node.kubernetes.io/not-ready, effect: NoSchedule }] }',
    ),
    /node n2 has taint node.kubernetes.io\/not-ready: no pod starts there/,
  ],
  [
    'a proxy that does not answer',
    'proxies-answer',
    change({
      proxies: HEALTHY.proxies.map(p =>
        p.ref.name === 'ztunnel-1' ? { ...p, dump: undefined, error: 'cannot reach it' } : p,
      ),
    }),
    /ztunnel ztunnel-1: cannot reach it/,
  ],
  [
    'a proxy that is behind',
    'proxies-synced',
    change({
      synced: HEALTHY.synced.map(s =>
        s.name.startsWith('waypoint') ? syncedProxy(s.name, 'nack', 'bad rule') : s,
      ),
    }),
    /waypoint-1.shop is nack for address: bad rule/,
  ],
  [
    'a proxy without controller',
    'proxies-synced',
    change({ synced: HEALTHY.synced.slice(1) }),
    /ztunnel ztunnel-1 is connected to no controller/,
  ],
  [
    'a pod with the label that is not captured',
    'pods-captured',
    withObjects(
      'kind: Pod\nmetadata: { name: new, namespace: shop }\nspec: { nodeName: n2 }\nstatus: { phase: Running }',
    ),
    /pod shop\/new has the label and is not captured: see: ambientctl logs --node n2/,
  ],
  [
    'a pod whose capture failed, with the reason of the node agent',
    'pods-captured',
    withObjects(
      'kind: Pod\nmetadata: { name: new, namespace: shop }\nspec: { nodeName: n2 }\nstatus: { phase: Running }\n---\nkind: Event\nmetadata: { name: new.1, namespace: shop }\ninvolvedObject: { name: new, namespace: shop }\nreportingComponent: ambient-mesh/ztunnel\nmessage: nft is not there',
    ),
    /pod shop\/new has the label and is not captured: nft is not there/,
  ],
  [
    'a pod whose capture failed, with the reason of its ztunnel',
    'pods-captured',
    {
      ...withObjects(
        'kind: Pod\nmetadata: { name: new, namespace: shop }\nspec: { nodeName: n2 }\nstatus: { phase: Running }',
      ),
      nodeReports: [
        {
          node: 'n2',
          pods: [{ name: 'shop/new', state: 'failed', message: 'port 15006 is used' }],
          warnings: [],
          waiting: [],
        },
      ],
    },
    /pod shop\/new has the label and is not captured: port 15006 is used/,
  ],
  [
    'a captured pod without the label',
    'pods-captured',
    withObjects(
      'kind: Pod\nmetadata: { name: p, namespace: x, annotations: { ambient.istio.io/redirection: enabled } }\nstatus: { phase: Running }',
    ),
    /pod x\/p is captured and no label asks for it/,
  ],
  [
    'a token of another audience',
    'proxy-tokens',
    withObjects(
      'kind: Pod\nmetadata: { name: ztunnel-1, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }\nstatus: { phase: Running }',
    ),
    /pod istio-system\/ztunnel-1 has no projected token of audience istio-ca/,
  ],
  [
    'a mesh inside itself',
    'system-namespace',
    withObjects(
      'kind: Namespace\nmetadata: { name: istio-system, labels: { istio.io/dataplane-mode: ambient } }',
    ),
    /namespace istio-system has the label .*: remove it/,
  ],
  [
    'a proxy on the portable engine',
    'native-engine',
    change({
      proxies: HEALTHY.proxies.map(p =>
        p.ref.name === 'ztunnel-1' && p.dump !== undefined
          ? { ...p, dump: { ...p.dump, engine: { name: 'node', reason: 'ENGINE=node' } } }
          : p,
      ),
    }),
    /ztunnel ztunnel-1 runs on the portable one: ENGINE=node/,
  ],
  [
    'a kernel without nftables',
    'kernel-features',
    change({
      nodeReports: [
        {
          node: 'n1',
          pods: [{ name: 'shop/a', state: 'failed', message: 'nft: Operation not supported' }],
          warnings: [],
          waiting: [],
        },
      ],
    }),
    /node n1, for pod shop\/a: nft: Operation not supported/,
  ],
  [
    'a node without the plugin',
    'cni-chain',
    change({
      nodeReports: [
        {
          node: 'n1',
          pods: [],
          waiting: [],
          warnings: ['the CNI plugin is not in the chain: no list in /etc/cni/net.d'],
        },
      ],
    }),
    /node n1: the CNI plugin is not in the chain: no list/,
  ],
  [
    'a node whose plugin finds nobody',
    'cni-answered',
    change({
      nodeReports: [
        {
          node: 'n1',
          pods: [],
          waiting: [],
          warnings: [
            'the CNI plugin is not answered: the directory of /run/cni.sock was removed on the node',
          ],
        },
      ],
    }),
    /node n1: the CNI plugin is not answered: the directory of \/run\/cni.sock was removed/,
  ],
  [
    'a pod that the plugin refuses',
    'pods-admitted',
    withObjects(
      `${pendingPod('orders-7')}\n---\n${refusal('orders-7', 'plugin type=\\"ambient-cni\\" failed (add): ambient-cni: the mesh cannot take this pod in: pods is forbidden')}`,
    ),
    /node n1: pod shop\/orders-7 does not start: the mesh cannot take this pod in: pods is forbidden/,
  ],
  [
    'pods for whose start the plugin is missing',
    'pods-admitted',
    withObjects(
      [
        pendingPod('orders-7'),
        pendingPod('orders-8'),
        ...['orders-7', 'orders-8'].map(name =>
          refusal(
            name,
            'plugin type=\\"ambient-cni\\" failed (add): failed to find plugin \\"ambient-cni\\" in path [/opt/cni/bin]',
          ),
        ),
      ].join('\n---\n'),
    ),
    /node n1: pod shop\/orders-7 \(and 1 more\) does not start: "ambient-cni".*failed to find plugin/,
  ],
  [
    'a node whose addresses cannot be read',
    'probes-exempt',
    change({
      nodeReports: [{ node: 'n1', pods: [], waiting: [], warnings: ['probes are not exempt: EACCES'] }],
    }),
    /node n1: probes are not exempt: EACCES/,
  ],
  [
    'a pod that is at its bound',
    'connections-bounded',
    change({
      nodeReports: [
        {
          node: 'n1',
          pods: [],
          waiting: [],
          warnings: [
            'connections are refused: pod shop/orders-1 has 8192 outbound connections, as many as a pod may',
          ],
        },
      ],
    }),
    /node n1: connections are refused: pod shop\/orders-1 has 8192 outbound connections/,
  ],
  [
    'an intermediate that ends',
    'ca-valid',
    change({
      proxies: [
        ...HEALTHY.proxies.filter(p => p.ref.kind !== 'controller'),
        asked('controller', 'controller-1', '', {
          warnings: [
            "the CA's certificate ends: intermediate CN=mesh of Secret istio-system/cacerts ends at 2026-01-20T00:00:00.000Z, in 18 d: put a CA certificate there",
          ],
        }),
      ],
    }),
    /^intermediate CN=mesh of Secret istio-system\/cacerts ends at .*: put a CA certificate there/,
  ],
  [
    'an intermediate that ends, while no controller answers',
    'ca-valid',
    change({
      proxies: [asked('ztunnel', 'ztunnel-1', 'n1', { intermediateEnds: '2026-01-01T14:00:00Z' })],
    }),
    /^intermediate i1 ends in 2h, and every certificate of the mesh with it/,
  ],
  [
    'a node whose connection tracking is full',
    'conntrack-room',
    change({
      nodeReports: [
        {
          node: 'n1',
          pods: [],
          warnings: [
            'connection tracking of the node is full (262144 of 262144 entries, 17 packets dropped in 10 s): new connections hang',
          ],
          waiting: [],
        },
      ],
    }),
    /node n1: connection tracking of the node is full \(262144 of 262144 entries, 17 packets dropped/,
  ],
  [
    'a node whose disk is full',
    'state-written',
    change({
      proxies: [
        ...ZTUNNEL_PROXIES,
        asked('ztunnel', 'ztunnel-1', 'n1', {
          warnings: ['state not kept: /var/run/ambient-mesh/pods.json (pods) cannot be written: ENOSPC'],
        }),
      ],
    }),
    /ztunnel ztunnel-1: state not kept: .*pods.json \(pods\) cannot be written: ENOSPC/,
  ],
  [
    'a policy that lets nobody in',
    'network-policies',
    withObjects(policy('deny', '{ podSelector: {} }')),
    /NetworkPolicy shop\/deny: port 15008 cannot reach pod shop\/orders-0 and 1 more; add a rule for TCP 15008 \(ingress\)/,
  ],
  [
    'a policy that lets other ports in',
    'network-policies',
    withObjects(
      policy(
        'http',
        '{ podSelector: { matchLabels: { app: orders } }, ingress: [{ ports: [{ port: 8080 }, { port: 15008, protocol: UDP }] }] }',
      ),
    ),
    /shop\/http: port 15008 cannot reach/,
  ],
  [
    'a policy that lets nobody out',
    'network-policies',
    withObjects(policy('egress', '{ podSelector: {}, policyTypes: [Egress] }')),
    /shop\/egress: port 15008 cannot be reached from pod shop\/orders-0 and 1 more.*\(egress\)/,
  ],
  [
    'a proxy without a certificate',
    'certificates-held',
    change({
      proxies: [
        ...ZTUNNEL_PROXIES,
        asked('ztunnel', 'ztunnel-1', 'n1', { state: 'Unavailable', error: 'PERMISSION_DENIED' }),
      ],
    }),
    /ztunnel-1 has no certificate for .*orders \(Unavailable\): PERMISSION_DENIED/,
  ],
  [
    'a certificate that is not renewed',
    'certificates-renewed',
    change({ proxies: [asked('ztunnel', 'ztunnel-1', 'n1', { leafEnds: '2026-01-01T14:00:00Z' })] }),
    /ztunnel-1: the certificate of .*orders ends in 2h and is not renewed/,
  ],
  [
    'a certificate that has expired',
    'certificates-renewed',
    change({ proxies: [asked('ztunnel', 'ztunnel-1', 'n1', { leafEnds: '2026-01-01T11:00:00Z' })] }),
    /the certificate of .*orders has expired/,
  ],
  [
    'roots that differ',
    'roots-agree',
    change({ proxies: [...ZTUNNEL_PROXIES, asked('ztunnel', 'ztunnel-1', 'n1', { root: 'r0' })] }),
    /ztunnel-1 does not trust root r1 that others do/,
  ],
  [
    'a controller that signs by a root nobody has heard of',
    'roots-agree',
    withObjects(
      `kind: ConfigMap\nmetadata: { name: ambient-ca-root-cert, namespace: istio-system }\ndata: { root-cert.pem: ${JSON.stringify(NEW_ROOT)} }`,
    ),
    /ztunnel-1 does not trust root [0-9a-f]+ of ConfigMap ambient-ca-root-cert, by which the controller signs/,
  ],
  [
    'a root that ends soon',
    'roots-valid',
    change({ proxies: [asked('ztunnel', 'ztunnel-1', 'n1', { rootEnds: '2026-02-01T00:00:00Z' })] }),
    /root r1 ends in 30d: rotate it/,
  ],
  [
    'a namespace without the roots',
    'root-config-maps',
    withObjects('kind: Namespace\nmetadata: { name: new, labels: { istio.io/dataplane-mode: ambient } }'),
    /namespace new has no ConfigMap istio-ca-root-cert/,
  ],
  [
    'a namespace with other roots',
    'root-config-maps',
    withObjects(
      'kind: ConfigMap\nmetadata: { name: istio-ca-root-cert, namespace: old }\ndata: { root-cert.pem: OTHER }',
    ),
    /the roots in namespace old are not those of the others/,
  ],
  [
    'a waypoint that is not ready',
    'waypoints-ready',
    withObjects(
      'kind: Gateway\nmetadata: { name: w, namespace: shop }\nspec: { gatewayClassName: istio-waypoint }\nstatus: { conditions: [{ type: Programmed, status: "False", reason: Pending, message: no pod is ready }] }',
    ),
    /waypoint shop\/w is not ready: Pending: no pod is ready; its traffic is refused/,
  ],
  [
    'a waypoint that does not allow the namespace which asks for it',
    'waypoints-exist',
    withObjects(
      'kind: Service\nmetadata: { name: pay, namespace: shop }\nstatus: { conditions: [{ type: istio.io/WaypointBound, status: "False", reason: AttachmentDenied, message: "waypoint infra/w does not allow namespace shop: set allowedRoutes" }] }',
    ),
    /Service shop\/pay: waypoint infra\/w does not allow namespace shop: set allowedRoutes/,
  ],
  [
    'a waypoint that does not exist',
    'waypoints-exist',
    withObjects(
      'kind: Service\nmetadata: { name: pay, namespace: shop, labels: { istio.io/use-waypoint: lost } }',
    ),
    /Service shop\/pay asks for waypoint shop\/lost, which does not exist: .*ambientctl waypoint apply -n shop --name lost/,
  ],
  [
    'a canary that gets nothing',
    'waypoint-canaries',
    withObjects(DENIED_CANARY),
    /Service shop\/pay: canary: waypoint infra\/w does not allow namespace shop; all connections go to waypoint shop\/w/,
  ],
];

for (const [sentence, id, snapshot, problem] of PROBLEMS) {
  test(`${id}: ${sentence}`, t => {
    const outcome = resultOf(id, snapshot)?.outcome;
    t.equal(outcome?.state, 'failed', JSON.stringify(outcome));
    t.match(outcome?.state === 'failed' ? outcome.problems.join('\n') : '', problem);
    t.end();
  });
}

/** [sentence, check, the cluster] */
const FINE: readonly (readonly [string, string, ClusterSnapshot])[] = [
  ['a canary that is denied keeps no traffic back', 'waypoints-exist', withObjects(DENIED_CANARY)],
  [
    'a pod of the host network needs no capture',
    'pods-captured',
    withObjects(
      'kind: Pod\nmetadata: { name: h, namespace: shop }\nspec: { hostNetwork: true }\nstatus: { phase: Running }',
    ),
  ],
  [
    'a pod that has ended needs none',
    'pods-captured',
    withObjects('kind: Pod\nmetadata: { name: job, namespace: shop }\nstatus: { phase: Succeeded }'),
  ],
  [
    'a pod with a sidecar of its own needs none',
    'pods-captured',
    withObjects(
      'kind: Pod\nmetadata: { name: s, namespace: shop }\nspec: { containers: [{ name: istio-proxy }] }\nstatus: { phase: Running }',
    ),
  ],
  [
    'a pod whose own label is none needs none',
    'pods-captured',
    withObjects(
      'kind: Pod\nmetadata: { name: n, namespace: shop, labels: { istio.io/dataplane-mode: none } }\nstatus: { phase: Running }',
    ),
  ],
  [
    'policies add up: one that lets HBONE in is enough',
    'network-policies',
    withObjects(
      `${policy('deny', '{ podSelector: {} }')}\n---\n${policy('hbone', '{ podSelector: {}, ingress: [{ ports: [{ port: 15008 }] }] }')}`,
    ),
  ],
  [
    'a range of ports that has 15008 is enough',
    'network-policies',
    withObjects(
      policy('range', '{ podSelector: {}, ingress: [{ ports: [{ port: 15000, endPort: 15010 }] }] }'),
    ),
  ],
  [
    'a rule without ports is for all of them',
    'network-policies',
    withObjects(policy('peers', '{ podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }')),
  ],
  [
    'a policy for other pods is none of ours',
    'network-policies',
    withObjects(
      policy(
        'other',
        '{ podSelector: { matchExpressions: [{ key: app, operator: NotIn, values: [orders, payments] }] } }',
      ),
    ),
  ],
  ['roots of a rotation are fine while all have both', 'roots-agree', HEALTHY],
  [
    'our own ztunnel is no other mesh',
    'no-other-mesh',
    withObjects(
      'kind: DaemonSet\nmetadata: { name: ztunnel, namespace: m, labels: { app.kubernetes.io/name: ztunnel } }',
    ),
  ],
];

for (const [sentence, id, snapshot] of FINE) {
  test(`${id}: ${sentence}`, t => {
    t.equal(resultOf(id, snapshot)?.outcome.state, 'ok', JSON.stringify(resultOf(id, snapshot)?.outcome));
    t.end();
  });
}

test('Gateways that may not be listed are unknown, not missing', t => {
  const snapshot = change({ gateways: undefined, unlisted: new Set(['gateways']) });
  for (const id of ['gateway-api', 'waypoints-ready', 'waypoints-exist'])
    t.same(resultOf(id, snapshot)?.outcome, { state: 'unknown', reason: 'Gateways cannot be listed' }, id);
  t.end();
});

test('in a healthy cluster every check is passed', t => {
  const results = runChecks(INSTALLED_CHECKS, HEALTHY);
  t.same(
    results.filter(r => r.outcome.state !== 'ok'),
    [],
  );
  t.notOk(hasFatal(results));
  expectGolden(t, 'check', `$ ambientctl check\n${checkReport(results)}`);
  t.end();
});

test('what failed comes with its problems and where to read on', t => {
  const broken = {
    ...withObjects(policy('deny', '{ podSelector: {} }')),
    leases: undefined,
    proxies: [asked('ztunnel', 'ztunnel-1', 'n1', { version: '0.0.9' })],
  };
  const results = runChecks(INSTALLED_CHECKS, broken);
  t.ok(hasFatal(results));
  expectGolden(t, 'check-broken', `$ ambientctl check\n${checkReport(results)}`);
  t.end();
});

test('before an installation a bare cluster is ready', t => {
  const bare = { ...snapshotOf(''), nodes: HEALTHY.nodes, crds: HEALTHY.crds };
  const results = runChecks(PRE_CHECKS, bare);
  t.notOk(hasFatal(results));
  expectGolden(t, 'check-pre', `$ ambientctl check --pre\n${checkReport(results)}`);
  t.end();
});

test('a warning alone is no failure', t => {
  t.notOk(hasFatal(runChecks(INSTALLED_CHECKS, change({ crds: [] }))));
  t.end();
});

test('what may not be looked at is not known, and not taken for good', t => {
  for (const id of ['leases', 'crds', 'network-policies', 'root-config-maps']) {
    const blind = change({
      leases: undefined,
      crds: undefined,
      networkPolicies: undefined,
      configMaps: undefined,
    });
    t.equal(resultOf(id, blind)?.outcome.state, 'unknown', id);
  }
  t.end();
});

test('what needs a proxy is not known while none runs', t => {
  const without = change({
    pods: HEALTHY.pods.filter(p => p.name.startsWith('controller')),
    proxies: HEALTHY.proxies.filter(p => p.ref.kind === 'controller'),
    nodeReports: [],
    synced: [],
  });
  for (const id of [
    'proxies-synced',
    'native-engine',
    'kernel-features',
    'cni-chain',
    'proxy-tokens',
    'certificates-held',
  ])
    t.equal(resultOf(id, without)?.outcome.state, 'unknown', id);
  t.end();
});

test('every check has a test of its problem, and a section to read on', t => {
  const page = readFileSync(DOCS_PAGE, 'utf8');
  const headings = new Set(Array.from(page.matchAll(/^### ([a-z0-9-]+)$/gm), m => m[1]));
  const all = [...INSTALLED_CHECKS, ...PRE_CHECKS];
  const tested = new Set(PROBLEMS.map(([, id]) => id));
  for (const { id } of all) {
    t.ok(headings.has(id), `${DOCS_PAGE}#${id}`);
    // Without an API server there is no snapshot: tested where the command ends.
    if (id !== 'api-reachable') t.ok(tested.has(id), `${id} can fail`);
  }
  const known = new Set<string | undefined>(all.map(check => check.id));
  t.same(
    [...headings].filter(h => !known.has(h)),
    [],
    'and no others',
  );
  t.end();
});
