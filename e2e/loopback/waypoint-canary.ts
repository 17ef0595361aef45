/**
 * In a network namespace of its own: a mesh on loopback addresses whose service has two waypoints. A policy denies all at the second one,
 * which tells whose answer it is. Prints what became of the requests as one line of JSON.
 */
import { fileURLToPath } from 'node:url';
import { Playground } from '../../src/playground/playground.ts';
import { eventually, expect } from '../../src/playground/scenario/check.ts';
import { load } from '../../src/playground/scenario/load.ts';

const URL_OF_PAYMENTS = 'http://payments.shop:8080/healthz';
/** A bound for what never comes. What comes is waited for, however long the machine's load makes it take. */
const SETTLE_MS = 120_000;
const REQUESTS = 200;
const ALLOWED = '200';
const DENIED = '403';

const gateway = (name: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: shop }
spec:
  gatewayClassName: ambient-waypoint
  listeners: [{ name: mesh, port: 15008, protocol: HBONE }]`;

/** Whoever is not the client does not get in, but for the waypoints that have seen it. */
const OBJECTS = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop }
spec:
  serviceAccountName: client
  containers: [{ name: it, command: [node, -e, 'setInterval(() => {}, 1e6)'] }]
---
apiVersion: v1
kind: Pod
metadata: { name: payments, namespace: shop, labels: { app: payments } }
spec:
  serviceAccountName: payments
  containers: [{ name: it, command: [node, examples/shop/payments.ts], ports: [{ containerPort: 8080 }] }]
---${gateway('waypoint')}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow-client, namespace: shop }
spec:
  selector: { matchLabels: { app: payments } }
  rules: [{ from: [{ source: { serviceAccounts: [client] } }] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny-at-canary, namespace: shop }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: next }]
  action: DENY
  rules: [{ to: [{ operation: { methods: ["*"] } }] }]
`;

const payments = (weight: number | undefined): string => `
apiVersion: v1
kind: Service
metadata:
  name: payments
  namespace: shop
  labels: { istio.io/use-waypoint: waypoint${weight === undefined ? '' : ', istio.io/use-waypoint-canary: next'} }
  annotations: { istio.io/use-waypoint-canary-weight: "${weight ?? 0}" }
spec:
  selector: { app: payments }
  ports: [{ name: http, port: 8080 }]
`;

type Statuses = Readonly<Record<string, number>>;

async function statuses(mesh: Playground, requests = REQUESTS): Promise<Statuses> {
  const report = await load(mesh, 'shop/client', URL_OF_PAYMENTS, { requests, concurrency: 4, close: true });
  return { ...report.byStatus, ...report.errors };
}

/** Once a few requests get these answers and no other, which many then get. */
async function onceAnswered(mesh: Playground, ...expected: readonly string[]): Promise<Statuses> {
  await eventually(SETTLE_MS, async () => {
    const seen = Object.keys(await statuses(mesh, 40)).sort();
    expect(seen.join() === expected.join(), `answered ${seen.join()}`);
  });
  return statuses(mesh);
}

async function run(mesh: Playground): Promise<Record<string, unknown>> {
  const apply = (yaml: string): void => mesh.applyText(yaml, 'test');
  apply(OBJECTS);
  apply(payments(undefined));
  await mesh.settled(SETTLE_MS);
  const before = await onceAnswered(mesh, ALLOWED);
  apply(payments(50));
  // There is no such waypoint yet: nobody is refused for want of it, neither now nor while it is being made.
  const missing = await statuses(mesh);
  apply(gateway('next'));
  const made = await statuses(mesh);
  const {
    [ALLOWED]: allowed = 0,
    [DENIED]: denied = 0,
    ...others
  } = await onceAnswered(mesh, ALLOWED, DENIED);
  apply(payments(100));
  const all = await onceAnswered(mesh, DENIED);
  apply(payments(0));
  const none = await onceAnswered(mesh, ALLOWED);
  return { before, missing, made: onlyAnswers(made), share: { allowed, denied, others }, all, none };
}

/** The canary may have come meanwhile. */
function onlyAnswers(seen: Statuses): readonly string[] {
  return Object.keys(seen).filter(status => status !== ALLOWED && status !== DENIED);
}

const playground = await Playground.up({
  stateDir: process.argv[2] ?? '',
  repository: fileURLToPath(new URL('../..', import.meta.url)),
  nodes: ['node-a'],
  mode: 'loopback',
  report: () => undefined,
});
try {
  console.log(JSON.stringify(await run(playground)));
} finally {
  await playground.down();
}
