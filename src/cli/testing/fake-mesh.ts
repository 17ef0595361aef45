import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authzCheckRoute } from '#shared/authz/check-route.ts';
import { AdminServer, type AdminRoute, json, text } from '#shared/observability/admin-server.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import {
  endpointOf,
  mesh,
  noRoutes,
  policy,
  service,
  waypointOf,
  workload,
} from '#shared/testing/topology.ts';

/** A small shop in which orders may call payments, as its proxies know it. */
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
      authorizationPolicies: ['istio-system/istio_converted_static_strict'],
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
    workload('waypoint-a', {
      namespace: 'shop',
      addresses: ['10.91.2.9'],
      node: 'node-b',
      workloadName: 'waypoint',
      services: endpointOf(waypoint),
    }),
    workload('legacy-0', {
      namespace: 'legacy',
      addresses: ['10.91.1.9'],
      tunnelProtocol: 'none',
      workloadName: 'legacy',
    }),
  ],
  policies: [
    policy('istio_converted_static_strict', 'deny', [{ notPrincipals: [{ kind: 'presence' }] }], {
      namespace: 'istio-system',
    }),
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

const waypointStore = mesh({
  services: [payments],
  workloads: [workload('orders-0', { namespace: 'shop', serviceAccount: 'orders' })],
  routes: [
    noRoutes(payments, {
      authorizationPolicies: [
        policy('by-name', 'allow', [{ serverNames: [{ kind: 'exact', value: 'pay.example' }] }], {
          namespace: 'shop',
        }),
      ],
    }),
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
    TAP,
    LOGGING,
    page('/stats/prometheus', () => text(metrics())),
    page('/config_dump', () => json({ version: '0.1.0', routes: [SPLIT] })),
    WAYPOINT_AUTHZ,
  ];
}

/** A connection is judged by what the waypoint knows; of requests the policies alone are told. */
const WAYPOINT_AUTHZ: AdminRoute = {
  method: 'GET',
  path: '/authz/check',
  help: '',
  handle: async request =>
    request.query.has('method')
      ? json({ allowed: true, policies: L7_POLICIES })
      : authzCheckRoute(() => waypointStore).handle(request),
};

/** Routes of the service payments, as a waypoint has them. */
const SPLIT = {
  namespace: 'shop',
  hostname: payments.hostname,
  rules: [
    {
      name: 'HTTPRoute/shop/split/0',
      ports: [80],
      backends: [
        { weight: 90, service: 'shop/payments-v1.shop.svc.cluster.local', port: 8080 },
        { weight: 10, service: 'shop/payments-v2.shop.svc.cluster.local', port: 8080, subset: 'canary' },
      ],
    },
    { name: 'HTTPRoute/shop/old/0', ports: [], backends: [{ weight: 1, port: 0 }] },
  ],
  streamRules: [],
};

const L7_POLICIES = [
  { name: 'shop/only-get', action: 'allow', scope: 'workload_selector', dryRun: false, rules: 1 },
  { name: 'shop/no-admin', action: 'deny', scope: 'workload_selector', dryRun: false, rules: 1 },
  { name: 'shop/try-out', action: 'deny', scope: 'namespace', dryRun: true, rules: 1 },
];

/** ztunnel-a is behind with routes and has refused a policy. */
const SYNCZ = {
  clients: [
    {
      node: 'ztunnel~10.91.1.10~ztunnel-a.istio-system~istio-system.svc.cluster.local',
      cluster: 'Kubernetes',
      version: '0.1.0',
      connectedSince: '2026-01-01T10:00:00.000Z',
      types: [
        syncedType('istio.workload.Address', 'stale', { pending: 3, sentAt: '2026-01-01T11:59:48.000Z' }),
        syncedType('istio.security.Authorization', 'nack', {
          lastNack: { nonce: '7', reason: 'shop/only-orders: rules[0] has no clause' },
        }),
        syncedType('ambient.mesh.v1.TrustBundle', 'synced', {}),
      ],
    },
    {
      node: 'waypoint~10.91.1.11~waypoint-a.shop~shop.svc.cluster.local',
      cluster: 'Kubernetes',
      version: '0.1.0',
      connectedSince: '2026-01-01T10:00:00.000Z',
      types: [
        syncedType('istio.workload.Address', 'synced', {}),
        syncedType('istio.security.Authorization', 'synced', {}),
        syncedType('ambient.mesh.v1.ServiceRoutes', 'synced', {}),
        syncedType('ambient.mesh.v1.TrustBundle', 'synced', {}),
      ],
    },
  ],
};

const OBJECTS = [
  { key: 'HTTPRoute/shop/old', state: 'accepted', diagnostics: [] },
  {
    key: 'HTTPRoute/shop/split',
    state: 'rejected',
    diagnostics: [
      {
        field: 'spec.rules[0]',
        value: '[]',
        message: 'has no backend',
        fix: 'name a Service in backendRefs',
        severity: 'rejected',
      },
    ],
  },
];

function syncedType(name: string, state: string, fields: object): object {
  const [sentAt, answeredAt] = ['2026-01-01T11:50:00.000Z', '2026-01-01T11:50:01.000Z'];
  return { type: `type.googleapis.com/${name}`, state, pending: 0, sentAt, answeredAt, ...fields };
}

const TAPPED = [
  '{"event":"request","id":"1","src.workload":"orders","src.identity":"spiffe://cluster.local/ns/shop/sa/orders","dst.service":"payments","method":"GET","authority":"payments:8080","path":"/pay","headers":["accept","*/*"]}',
  '{"event":"response","id":"1","response_code":503,"duration_ms":1.5}',
  '{"event":"end","id":"1","dst.addr":"10.91.1.2:8080","route":"split","attempts":2,"response_code":503,"response_flags":"UF","duration_ms":1.7,"bytes_sent":0,"error":"connection refused"}',
  '{"event":"skipped","requests":7}',
];

const TAP: AdminRoute = page('/debug/tap', ({ query }) =>
  query.get('status') === 'bad'
    ? text('status "bad" is not accepted; use a status (404) or a class (5xx)\n', 400)
    : {
        ...text(''),
        stream: output => {
          if (query.get('service') !== 'nothing') for (const line of TAPPED) output.writeLine(line);
          output.end();
          return () => undefined;
        },
      },
);

const LOGGING: AdminRoute = {
  method: 'POST',
  path: '/logging',
  help: '',
  handle: ({ query }) => json({ level: query.get('level') }),
};

const CONTROLLER: readonly AdminRoute[] = [
  page('/debug/syncz', () => json(SYNCZ)),
  page('/debug/objects', ({ query }) =>
    json({ objects: OBJECTS.filter(o => [null, o.state].includes(query.get('state'))), unreadable: [] }),
  ),
  LOGGING,
  page('/debug/waypoints', () =>
    json({ waypoints: [{ namespace: 'shop', name: 'waypoint', trafficType: 'service', programmed: true }] }),
  ),
  page('/config_dump', () => json({ version: '0.1.0' })),
];

function page(path: string, handle: AdminRoute['handle']): AdminRoute {
  return { method: 'GET', path, help: '', handle };
}

/** The socket of each proxy, by its name: `ztunnel-a`, `waypoint-a`, `controller-a`. */
export type FakeMesh = ReadonlyMap<string, string>;

const PROXIES: readonly {
  name: string;
  kind: string;
  namespace: string;
  routes: () => readonly AdminRoute[];
}[] = [
  { name: 'ztunnel-a', kind: 'ztunnel', namespace: '', routes: () => ZTUNNEL },
  { name: 'waypoint-a', kind: 'waypoint', namespace: 'shop', routes: waypointRoutes },
  { name: 'controller-a', kind: 'controller', namespace: '', routes: () => CONTROLLER },
];

/** Admin servers that answer as the proxies do, listed in `proxies.json` of `dir` as a playground lists them. */
export async function withFakeMesh(use: (dir: string, mesh: FakeMesh) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'cli-'));
  const servers: AdminServer[] = [];
  const sockets = new Map<string, string>();
  for (const { name, routes } of PROXIES) {
    const server = new AdminServer(routes(), quietLogger);
    const unixSocket = join(dir, `${name}.sock`);
    await server.listen({ unixSocket });
    servers.push(server);
    sockets.set(name, unixSocket);
  }
  const listed = PROXIES.map(({ name, kind, namespace }) => ({
    name,
    kind,
    node: 'node-a',
    namespace,
    adminSocket: sockets.get(name),
  }));
  writeFileSync(join(dir, 'proxies.json'), JSON.stringify({ proxies: listed }));
  try {
    await use(dir, sockets);
  } finally {
    await Promise.all(servers.map(server => server.close()));
    rmSync(dir, { recursive: true });
  }
}
