import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { authzCheckRoute } from '#shared/authz/check-route.ts';
import { AdminServer, type AdminRoute, json, text } from '#shared/observability/admin-server.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { endpointOf, mesh, policy, service, waypointOf, workload } from '#shared/testing/topology.ts';
import { runCli } from './program.ts';

/**
 * Every command against admin servers that answer as the proxies do; the output is compared with `testdata/*.golden`.
 * `UPDATE_GOLDEN=1 tap src/cli` rewrites those.
 */
const logger = createLogger({
  scope: 'test',
  levels: new LogLevels('error'),
  format: 'text',
  writer: { writeLine: () => undefined },
  now: () => 0,
});

const waypoint = service('waypoint', { namespace: 'shop', vip: '10.96.0.9' });
const payments = service('payments', { namespace: 'shop', vip: '10.96.0.2', waypoint: waypointOf(waypoint) });
const store = mesh({
  services: [waypoint, payments],
  workloads: [
    workload('orders-0', {
      namespace: 'shop',
      addresses: ['10.91.1.3'],
      workloadName: 'orders',
      serviceAccount: 'orders',
    }),
    workload('payments-v1-0', {
      namespace: 'shop',
      addresses: ['10.91.1.2', 'fd00::2'],
      workloadName: 'payments-v1',
      services: endpointOf(payments),
      authorizationPolicies: ['shop/only-orders'],
    }),
    workload('payments-v2-0', {
      namespace: 'shop',
      addresses: ['10.91.2.2'],
      node: 'node-b',
      workloadName: 'payments-v2',
      services: endpointOf(payments),
      status: 'unhealthy',
    }),
    workload('legacy-0', {
      namespace: 'legacy',
      addresses: ['10.91.1.9'],
      tunnelProtocol: 'none',
      workloadName: 'legacy',
    }),
  ],
  policies: [
    policy(
      'only-orders',
      'allow',
      [{ principals: [{ kind: 'exact', value: 'cluster.local/ns/shop/sa/orders' }] }],
      {
        namespace: 'shop',
      },
    ),
  ],
});

const CERTIFICATE = {
  identity: 'spiffe://cluster.local/ns/shop/sa/orders',
  state: 'Available',
  certChain: [
    {
      type: 'Leaf',
      valid: true,
      serial: 'a1',
      notAfter: '2026-01-02T00:00:00Z',
      notBefore: '2026-01-01T00:00:00Z',
    },
    {
      type: 'Root',
      valid: true,
      serial: 'b2',
      notAfter: '2036-01-01T00:00:00Z',
      notBefore: '2026-01-01T00:00:00Z',
    },
  ],
};

const CONNECTION = {
  workload: 'shop/orders-0',
  direction: 'Outbound',
  local: '10.91.1.3:40000',
  remote: '10.91.2.2:15008',
  remoteTarget: '10.96.0.2:80',
  protocol: 'HBONE',
};

const ZTUNNEL: readonly AdminRoute[] = [
  page('/config_dump', () =>
    json({ version: '0.1.0', node: 'node-a', ...store.toDelta(), certificates: [CERTIFICATE] }),
  ),
  page('/debug/connections', () => json({ connections: [CONNECTION] })),
  authzCheckRoute(() => store),
];

const LABELS = `destination_workload="payments-v1",destination_workload_namespace="shop",destination_service_name="payments",destination_service_namespace="shop"`;

/** Each scrape finds ten more requests, one of which failed. */
function waypointRoutes(): readonly AdminRoute[] {
  let scrapes = 0;
  const metrics = (): string => {
    scrapes++;
    return [
      `istio_requests_total{${LABELS},response_code="200"} ${9 * scrapes}`,
      `istio_requests_total{${LABELS},response_code="503"} ${scrapes}`,
      `istio_request_duration_milliseconds_bucket{${LABELS},le="1"} ${5 * scrapes}`,
      `istio_request_duration_milliseconds_bucket{${LABELS},le="5"} ${10 * scrapes}`,
      `istio_request_duration_milliseconds_bucket{${LABELS},le="+Inf"} ${10 * scrapes}`,
    ].join('\n');
  };
  return [
    page('/stats/prometheus', () => text(metrics())),
    page('/config_dump', () => json({ version: '0.1.0' })),
  ];
}

const CONTROLLER: readonly AdminRoute[] = [
  page('/debug/waypoints', () =>
    json({ waypoints: [{ namespace: 'shop', name: 'waypoint', trafficType: 'service', programmed: true }] }),
  ),
  page('/config_dump', () => json({ version: '0.1.0' })),
];

function page(path: string, handle: AdminRoute['handle']): AdminRoute {
  return { method: 'GET', path, help: '', handle };
}

interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function withMesh(
  use: (run: (line: string) => Promise<Run>, dir: string) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'cli-'));
  const kinds = { ztunnel: ZTUNNEL, waypoint: waypointRoutes(), controller: CONTROLLER };
  const servers: AdminServer[] = [];
  const proxies: unknown[] = [];
  for (const [kind, routes] of Object.entries(kinds)) {
    const server = new AdminServer(routes, logger);
    const adminSocket = join(dir, `${kind}.sock`);
    await server.listen({ unixSocket: adminSocket });
    servers.push(server);
    proxies.push({
      name: `${kind}-a`,
      kind,
      node: 'node-a',
      namespace: kind === 'waypoint' ? 'shop' : '',
      adminSocket,
    });
  }
  writeFileSync(join(dir, 'proxies.json'), JSON.stringify({ proxies }));
  try {
    await use(line => run(`${line} --state-dir ${dir}`), dir);
  } finally {
    await Promise.all(servers.map(s => s.close()));
    rmSync(dir, { recursive: true });
  }
}

async function run(line: string): Promise<Run> {
  let [out, err] = ['', ''];
  const io = { stdout: (s: string) => void (out += s), stderr: (s: string) => void (err += s) };
  const status = await runCli(line.split(' '), io);
  return { status, out, err };
}

const GOLDENS: readonly (readonly [string, string])[] = [
  ['workloads', 'ztunnel-config workloads'],
  ['workloads-namespace', 'zc workload -n legacy'],
  ['workloads-json', 'ztunnel-config workloads -n legacy -o json'],
  ['services', 'ztunnel-config services'],
  ['policies', 'ztunnel-config policies'],
  ['policies-yaml', 'ztunnel-config policy -o yaml'],
  ['certificates', 'ztunnel-config certificates'],
  ['connections', 'ztunnel-config connections'],
  ['authz-check-allowed', 'authz check shop/payments-v1-0 --from shop/orders-0 --port 8080'],
  ['authz-check-denied', 'authz check shop/payments-v1-0 --from legacy/legacy-0'],
  ['waypoint-list', 'waypoint list'],
  ['version', 'version'],
  ['stat-workload', 'stat -w 1'],
  ['stat-service', 'stat service -n shop -w 1'],
];

test('output of every command', async t => {
  await withMesh(async run => {
    for (const [name, line] of GOLDENS) {
      const { status, out } = await run(line);
      const file = `src/cli/testdata/${name}.golden`;
      const actual = `$ ambientctl ${line}\n${out}`;
      if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(file, actual);
      t.equal(actual, existsSync(file) ? readFileSync(file, 'utf8') : '', line);
      t.equal(status, 0, `${line}: exit status`);
    }
  });
});

/** [command line, exit status, what the one line says] */
const BAD_INPUT: readonly (readonly [string, number, RegExp])[] = [
  ['ztunnel-config workloads -o xml', 2, /argument 'xml' is invalid. Allowed choices are table, json, yaml/],
  ['ztunnel-config worklods', 2, /unknown command 'worklods'/],
  ['frobnicate', 2, /unknown command 'frobnicate'/],
  ['stat pods', 2, /use one of workload, service, namespace/],
  ['stat -w 0', 2, /use seconds from 1 to 3600/],
  ['authz check shop/payments-v1-0 --port 70000', 2, /use a port from 0 to 65535/],
  ['authz check', 2, /missing required argument 'pod'/],
  [
    'authz check payments-v1-0',
    1,
    /no pod "payments-v1-0" \(write NAMESPACE\/POD\); did you mean shop\/payments-v1-0\?/,
  ],
  ['authz check shop/nope', 1, /no pod "shop\/nope".*see: ambientctl ztunnel-config workloads/],
  ['ztunnel-config workloads --node nowhere', 1, /no ztunnel on node "nowhere"; nodes: node-a/],
  ['ztunnel-config workloads --admin-address 10.0.0.1', 2, /use IP:PORT or the path of a unix socket/],
  [
    'ztunnel-config workloads --admin-address 127.0.0.1:1',
    1,
    /cannot reach 127.0.0.1:1: .*ECONNREFUSED.*is the proxy running/,
  ],
];

test('bad input is one clear line and a non-zero exit status', async t => {
  await withMesh(async run => {
    for (const [line, status, message] of BAD_INPUT) {
      const result = await run(line);
      t.equal(result.status, status, line);
      t.match(result.err, message, line);
      t.equal(result.err.trimEnd().split('\n').length, 1, `${line}: one line`);
    }
  });
});

test('without a mesh the operator is told how to start one', async t => {
  const result = await run('ztunnel-config workloads --state-dir /nonexistent');
  t.equal(result.status, 1);
  t.match(result.err, /no mesh found: .*start one with "ambientctl playground up"/);
});

test('a damaged list of proxies is said to be so', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'cli-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const [content, message] of [
    ['{', /proxies.json: /],
    ['{"proxies":[{"name":"a","kind":"cat"}]}', /proxies\[0\].kind is cat/],
    ['{"proxies":[{"kind":"ztunnel"}]}', /proxies\[0\].name is not text/],
  ] as const) {
    writeFileSync(join(dir, 'proxies.json'), content);
    const result = await run(`version --state-dir ${dir}`);
    t.equal(result.status, 1);
    t.match(result.err, message);
  }
});
