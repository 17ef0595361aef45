import type { Playground } from '../../src/playground/playground.ts';
import type { PodProcess } from '../../src/playground/scenario/mesh-under-test.ts';

const LOAD_TOOL = 'examples/shop/tools/load.ts';
/** Longer than anybody looks. */
const MAX_S = '600';

/** What is applied beside the shop, so that everything that boards show happens. */
const SHOP = 'examples/shop/manifests';
export const MANIFESTS: readonly string[] = [
  `${SHOP}/00-shop.yaml`,
  `${SHOP}/fraud-retries.yaml`,
  `${SHOP}/ledger-deny-orders.yaml`,
];

/** gRPC on one port, and failing HTTP on another. */
const SERVER = `
const { createServer } = require('node:http2');
createServer().on('stream', stream => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.resume();
  stream.on('end', () => stream.end(Buffer.from([0, 0, 0, 0, 0])));
}).listen(9090, '::');
require('node:http').createServer((q, r) => r.writeHead(500).end()).listen(8080, '::');
`;

/** A call a tenth of a second, on another connection when the one there was has ended: the first may come too early. */
const GRPC_CLIENT = `
const { connect } = require('node:http2');
let session;
setInterval(() => {
  if (session === undefined || session.closed || session.destroyed)
    session = connect('http://calls.shop:9090').on('error', () => {});
  const call = session.request({ ':method': 'POST', ':path': '/s/Call', 'content-type': 'application/grpc', te: 'trailers' });
  call.on('error', () => {});
  call.resume();
  call.end(Buffer.from([0, 0, 0, 0, 0]));
}, 100);
`;

export const OBJECTS = `
apiVersion: v1
kind: Pod
metadata: { name: calls-0, namespace: shop, labels: { app: calls, version: v1 } }
spec:
  nodeName: node-b
  containers:
    - { name: it, command: [node, -e, ${JSON.stringify(SERVER)}], ports: [{ containerPort: 8080 }, { containerPort: 9090 }] }
---
apiVersion: v1
kind: Service
metadata: { name: calls, namespace: shop, labels: { istio.io/use-waypoint: waypoint } }
spec:
  selector: { app: calls }
  ports:
    - { name: http, port: 8080, targetPort: 8080 }
    - { name: grpc, port: 9090, targetPort: 9090, appProtocol: grpc }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: calls, namespace: shop }
spec:
  host: calls.shop.svc.cluster.local
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 1s, maxEjectionPercent: 100 }
---
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: { name: calls.shop.svc.cluster.local, namespace: shop }
spec:
  routes:
    - name: any
      condition: { pathRegex: "/.*" }
      responseClasses: [{ condition: { status: { min: 500, max: 599 } }, isFailure: true }]
---
# Rejected.
apiVersion: v1
kind: Service
metadata: { name: bad, namespace: shop }
spec: { ports: [{ port: 0 }] }
`;

/** Refuses some requests; another one each time. */
export function policy(time: number): string {
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-refunds, namespace: shop }
spec:
  targetRefs: [{ group: "", kind: Service, name: payments }]
  action: DENY
  rules: [{ to: [{ operation: { paths: [/refund, /refund-${time}] } }] }]
`;
}

/** Requests of every kind until it is stopped: some that are answered, some that fail, some that are refused. */
export function beBusy(mesh: Playground): { stop: () => Promise<void> } {
  const load = (pod: string, url: string, ...more: readonly string[]): PodProcess =>
    mesh.spawn(pod, ['node', LOAD_TOOL, '--url', url, '--seconds', MAX_S, '--pauseMs', '40', ...more]);
  const clients = [
    load('shop/frontend-0', 'http://payments.shop:8080/charge', '--close'),
    load('shop/frontend-0', 'http://payments.shop:8080/refund'),
    load('shop/orders-0', 'http://fraud.shop:8080/check'),
    load('shop/frontend-0', 'http://calls.shop:8080/'),
    load('shop/orders-0', 'http://ledger.shop:7000/'),
    mesh.spawn('shop/frontend-0', ['node', '-e', GRPC_CLIENT]),
  ];
  return { stop: async () => void (await Promise.all(clients.map(client => client.stop()))) };
}
