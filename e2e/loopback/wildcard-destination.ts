/**
 * In a network namespace of its own, whose `/etc/resolv.conf` names 127.0.0.53: a mesh on loopback addresses, and servers outside
 * it whose names nobody has listed. Prints what became of the requests as one line of JSON.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { DnsServer } from '../../src/shared/testing/dns-server.ts';
import { Playground } from '../../src/playground/playground.ts';
import { eventually, expect } from '../../src/playground/scenario/check.ts';
import { load } from '../../src/playground/scenario/load.ts';

const VIP = '240.240.0.10';
const PORT = 18_080;
const [FIRST, SECOND, THIRD] = ['127.201.0.1', '127.201.0.2', '127.201.0.3'];
/** A bound for what never comes. What comes is waited for, however long the machine's load makes it take. */
const SETTLE_MS = 120_000;

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
  hosts: ["*.vendor.test"]
  addresses: [${VIP}]
  location: MESH_EXTERNAL
  resolution: DYNAMIC_DNS
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${PORT} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vendor, namespace: shop }
spec:
  hosts: ["*.vendor.test"]
  http:
    - route: [{ destination: { host: "*.vendor.test" }, headers: { request: { set: { x-through: waypoint } } } }]
`;

async function vendor(ip: string): Promise<Server> {
  const server = createServer((req, res) =>
    res.end(`${ip} ${req.headers.host} ${String(req.headers['x-through'])}`),
  );
  server.listen(PORT, ip);
  await once(server, 'listening');
  return server;
}

interface Seen {
  readonly status: number;
  readonly body: string;
}

async function asked(mesh: Playground, url: string, host?: string): Promise<Seen> {
  const report = await load(mesh, 'shop/client', url, host === undefined ? {} : { header: `host=${host}` });
  return { status: Number(Object.keys(report.byStatus)[0] ?? '0'), body: report.lastBody };
}

async function run(mesh: Playground, dns: DnsServer): Promise<Record<string, unknown>> {
  mesh.applyText(OBJECTS, 'test');
  await mesh.settled(SETTLE_MS);
  const at = `http://${VIP}/`;
  const red = await eventually(SETTLE_MS, async () => {
    const seen = await asked(mesh, at, 'a.vendor.test');
    expect(seen.status === 200, `answered ${seen.status}`);
    return seen;
  });
  const blue = await asked(mesh, at, 'b.vendor.test');
  const byName = await asked(mesh, 'http://b.vendor.test/');
  const unknown = await asked(mesh, at, 'c.vendor.test');
  const foreign = await asked(mesh, at, 'a.other.test');
  const said = /^.*c\.vendor\.test.*$/m.exec(waypointLog(mesh))?.[0];
  dns.answers.set('a.vendor.test', [THIRD]);
  const moved = await eventually(SETTLE_MS, async () => {
    const seen = await asked(mesh, at, 'a.vendor.test');
    expect(seen.body.startsWith(THIRD), `answered by ${seen.body}`);
    return seen;
  });
  return { red, blue, byName, unknown, foreign, said, moved };
}

function waypointLog(mesh: Playground): string {
  const waypoints = mesh.proxies.filter(name => name.includes('waypoint'));
  return waypoints.map(name => mesh.log(name)).join('');
}

const dns = await DnsServer.listen('127.0.0.53', 53, 1);
dns.answers.set('a.vendor.test', [FIRST]);
dns.answers.set('b.vendor.test', [SECOND]);
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
