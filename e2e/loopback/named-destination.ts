/**
 * In a network namespace of its own, whose `/etc/resolv.conf` names 127.0.0.53: a mesh on loopback addresses, and servers outside it
 * that only have names. Prints what became of the requests as one line of JSON.
 */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DnsServer } from '../../src/shared/testing/dns-server.ts';
import { Playground } from '../../src/playground/playground.ts';
import { eventually, expect } from '../../src/playground/scenario/check.ts';
import { failures, load, type LoadReport } from '../../src/playground/scenario/load.ts';

const NAME = 'api.vendor.test';
const VIP = '240.240.0.10';
const PORT = 18_080;
const [FIRST, SECOND, THIRD] = ['127.201.0.1', '127.201.0.2', '127.201.0.3'];
/** A bound for what never comes. What comes is waited for, however long the machine's load makes it take. */
const SETTLE_MS = 120_000;
const REQUESTS = 40;

const OBJECTS = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop }
spec:
  containers: [{ name: it, command: [node, -e, 'setInterval(() => {}, 1e6)'] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: waypoint, namespace: shop, labels: { istio.io/waypoint-for: service } }
spec:
  gatewayClassName: ambient-waypoint
  listeners: [{ name: mesh, port: 15008, protocol: HBONE }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: vendor, namespace: shop, labels: { istio.io/use-waypoint: waypoint } }
spec:
  hosts: [${NAME}]
  addresses: [${VIP}]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${PORT} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vendor, namespace: shop }
spec:
  hosts: [${NAME}]
  http:
    - route: [{ destination: { host: ${NAME} }, headers: { request: { set: { x-through: waypoint } } } }]
`;

const requests = new Map<string, number>();
const through = new Set<string>();

async function vendor(ip: string): Promise<Server> {
  const server = createServer((req, res) => {
    requests.set(ip, (requests.get(ip) ?? 0) + 1);
    through.add(String(req.headers['x-through']));
    res.end(ip);
  });
  server.listen(PORT, ip);
  await once(server, 'listening');
  return server;
}

interface Seen {
  readonly failures: number;
  readonly servers: readonly string[];
}

async function sent(mesh: Playground): Promise<Seen> {
  requests.clear();
  const report: LoadReport = await load(mesh, 'shop/client', `http://${VIP}/`, { requests: REQUESTS });
  return { failures: failures(report), servers: [...requests.keys()].sort() };
}

async function run(mesh: Playground, dns: DnsServer): Promise<Record<string, unknown>> {
  mesh.applyText(OBJECTS, 'test');
  await mesh.settled(SETTLE_MS);
  const both = await eventually(SETTLE_MS, async () => {
    const seen = await sent(mesh);
    expect(seen.failures === 0, `${seen.failures} failed`);
    return seen;
  });
  dns.answers.set(NAME, [THIRD]);
  const moved = await eventually(SETTLE_MS, async () => {
    const seen = await sent(mesh);
    expect(seen.servers.join() === THIRD, `reached ${seen.servers.join()}`);
    return seen;
  });
  dns.failing = true;
  const said = await eventually(SETTLE_MS, () => {
    const line = /name not resolved.*$/m.exec(waypointLog(mesh))?.[0];
    expect(line !== undefined, 'the waypoint does not say that the name is not resolved');
    return Promise.resolve(line);
  });
  const failing = await sent(mesh);
  return { both, moved, failing, through: [...through], said };
}

function waypointLog(mesh: Playground): string {
  const waypoints = mesh.proxies.filter(name => name.includes('waypoint'));
  return waypoints.map(name => mesh.log(name)).join('');
}

const dns = await DnsServer.listen('127.0.0.53', 53, 1);
dns.answers.set(NAME, [FIRST, SECOND]);
const servers = await Promise.all([FIRST, SECOND, THIRD].map(vendor));
const playground = await Playground.up({
  stateDir: process.argv[2] ?? '',
  repository: fileURLToPath(new URL('../..', import.meta.url)),
  nodes: ['node-a'],
  mode: 'loopback',
  report: () => undefined,
});
try {
  console.log(JSON.stringify(await run(playground, dns)));
} finally {
  await playground.down();
  for (const server of servers) server.close().closeAllConnections();
  dns.close();
}
