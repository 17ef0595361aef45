import { test } from 'tap';
import { counted, idOf, shopInventory } from '../testing/shop.ts';
import type { CountedFlow } from '../traffic/traffic-log.ts';
import { buildGraph, inboundOf } from './build-graph.ts';

const INVENTORY = shopInventory();

/** What the client's ztunnel tells of a connection to a waypoint: where it is going, not to whom. */
const TO_WAYPOINT = counted('source', 'shop/orders > ?', {
  service: 'shop/payments',
  from: 'orders',
  to: 'waypoint',
  opened: 2,
  requestBytes: 10,
  responseBytes: 100,
  open: 2,
});
/** What the waypoint tells of its requests. */
const AT_WAYPOINT = counted('waypoint', 'shop/orders > shop/payments-v1', {
  service: 'shop/payments',
  from: 'orders',
  to: 'payments',
  requests: 10,
  failures: 1,
});
/** What the server's ztunnel tells of the waypoint's own connections. */
const FROM_WAYPOINT = counted('destination', 'shop/waypoint > shop/payments-v1', {
  from: 'waypoint',
  to: 'payments',
  opened: 1,
  responseBytes: 120,
  open: 1,
});
const DIRECT = counted('source', 'shop/frontend > shop/orders', {
  service: 'shop/orders',
  from: 'frontend',
  to: 'orders',
  opened: 3,
});
const DIRECT_AT_SERVER = counted('destination', 'shop/frontend > shop/orders', {
  from: 'frontend',
  to: 'orders',
  opened: 3,
  denied: 4,
});
const PLAINTEXT = counted('destination', 'legacy/legacy > shop/frontend', { plain: true, opened: 1 });
const STRANGER = counted('destination', '? > shop/orders', { plain: true, opened: 1 });
const DENIED_AT_WAYPOINT = counted('waypoint', 'shop/frontend > ?', {
  service: 'shop/payments',
  from: 'frontend',
  requests: 5,
  denied: 5,
  deniedBefore: 7,
});
const LEAVING_THE_MESH = counted('waypoint', 'shop/orders > legacy/legacy', {
  service: 'shop/payments',
  from: 'orders',
  requests: 1,
});

/** Edges as `from → to`, with what is asked about them. */
function edges(flows: readonly CountedFlow[], by: 'service' | 'workload', show: string): string[] {
  return buildGraph(flows, INVENTORY, by)
    .edges.map(edge => {
      const { count, denied, destinationIdentities, from, open, security, sourceIdentities, to, waypoints } =
        edge;
      const all: Readonly<Record<string, unknown>> = {
        ...count,
        open,
        security,
        remembered: denied,
        via: waypoints.join(),
        ids: `${sourceIdentities.join()}>${destinationIdentities.join()}`.replaceAll(idOf(''), ''),
      };
      const shown = show.split(' ').map(name => `${name}=${String(all[name])}`);
      return `${from} → ${to} ${shown.join(' ')}`.replaceAll(/service\/|workload\//g, '');
    })
    .sort();
}

/** [sentence, flows, by, what is asked, edges] */
const GRAPHS: readonly (readonly [
  string,
  readonly CountedFlow[],
  'service' | 'workload',
  string,
  string[],
])[] = [
  [
    'a connection that both ends tell of counts once, as its client tells it',
    [DIRECT_AT_SERVER, DIRECT],
    'service',
    'opened security ids',
    ['shop/frontend → shop/orders opened=3 security=mutual_tls ids=frontend>orders'],
  ],
  [
    'what only the server tells counts too',
    [DIRECT_AT_SERVER],
    'service',
    'opened',
    ['shop/frontend → shop/orders opened=3'],
  ],
  [
    'who is refused is told by the one that refuses, whoever is believed of the rest',
    [DIRECT_AT_SERVER, DIRECT],
    'service',
    'opened denied',
    ['shop/frontend → shop/orders opened=3 denied=4'],
  ],
  [
    "a workload of several services: the client's side tells which was asked for",
    [
      counted('destination', 'shop/frontend > shop/payments-v1', { opened: 1, denied: 5 }),
      counted('source', 'shop/frontend > shop/payments-v1', { service: 'shop/payments-v1', denied: 5 }),
    ],
    'service',
    'opened denied',
    ['shop/frontend → shop/payments-v1 opened=0 denied=5'],
  ],
  [
    'by service a waypoint is on the edge: connections as the client tells them, requests as the waypoint does',
    [TO_WAYPOINT, AT_WAYPOINT, FROM_WAYPOINT],
    'service',
    'opened open responseBytes requests failures via ids security',
    [
      'shop/orders → shop/payments opened=2 open=2 responseBytes=100 requests=10 failures=1 via=shop/waypoint ids=orders>payments security=mutual_tls',
    ],
  ],
  [
    'by workload a waypoint is a node, and both parts of the way have the requests',
    [TO_WAYPOINT, AT_WAYPOINT, FROM_WAYPOINT],
    'workload',
    'opened responseBytes requests ids',
    [
      'shop/orders → shop/waypoint opened=2 responseBytes=100 requests=10 ids=orders>waypoint',
      'shop/waypoint → shop/payments-v1 opened=1 responseBytes=120 requests=10 ids=waypoint>payments',
    ],
  ],
  [
    'what a waypoint refuses goes no further than the waypoint',
    [DENIED_AT_WAYPOINT],
    'workload',
    'requests denied remembered',
    ['shop/frontend → shop/waypoint requests=5 denied=5 remembered=7'],
  ],
  [
    'by service, it was for the service',
    [DENIED_AT_WAYPOINT],
    'service',
    'requests denied remembered',
    ['shop/frontend → shop/payments requests=5 denied=5 remembered=7'],
  ],
  [
    'plaintext of a workload outside the mesh',
    [PLAINTEXT],
    'service',
    'security ids',
    ['legacy/legacy → shop/frontend security=plaintext ids=>'],
  ],
  [
    'who is not known is outside',
    [STRANGER],
    'workload',
    'security',
    ['outside → shop/orders security=plaintext'],
  ],
  [
    'of some plaintext and some mutual TLS the edge is mixed',
    [
      DIRECT,
      counted('source', 'shop/frontend > shop/orders', { service: 'shop/orders', plain: true, opened: 1 }),
    ],
    'service',
    'security',
    ['shop/frontend → shop/orders security=mixed'],
  ],
  [
    'behind a waypoint the last part may be plaintext: that is no mutual TLS',
    [LEAVING_THE_MESH],
    'service',
    'security',
    ['shop/orders → shop/payments security=plaintext'],
  ],
  [
    'and by workload it is seen which part that is',
    [LEAVING_THE_MESH],
    'workload',
    'security',
    ['shop/orders → shop/waypoint security=mutual_tls', 'shop/waypoint → legacy/legacy security=plaintext'],
  ],
  [
    'plaintext that was refused is no plaintext that passed',
    [counted('destination', 'legacy/legacy > shop/orders', { plain: true, denied: 2 })],
    'service',
    'denied security',
    ['legacy/legacy → shop/orders denied=2 security=unknown'],
  ],
];

test('who talks to whom', t => {
  for (const [sentence, flows, by, show, wanted] of GRAPHS) t.same(edges(flows, by, show), wanted, sentence);
  t.end();
});

test('what there is is shown without traffic too: by service, waypoints are no nodes', t => {
  const names = (by: 'service' | 'workload'): string[] =>
    [...buildGraph([], INVENTORY, by).nodes.values()].map(n => `${n.kind} ${n.namespace}/${n.name}`).sort();
  t.same(names('service'), [
    'service shop/orders',
    'service shop/payments',
    'workload legacy/legacy',
    'workload shop/frontend',
  ]);
  t.match(names('workload'), ['waypoint shop/waypoint', 'workload legacy/legacy']);
  const payments = buildGraph([], INVENTORY, 'service').nodes.get('service/shop/payments');
  t.match(payments, { pods: 2, healthyPods: 1, meshedPods: 2, waypoint: 'shop/waypoint' });
  t.end();
});

test('what came to a node is the sum over its edges', t => {
  const { edges: all } = buildGraph([AT_WAYPOINT, DENIED_AT_WAYPOINT, TO_WAYPOINT], INVENTORY, 'service');
  t.match(inboundOf(all).get('service/shop/payments'), { count: { requests: 15, denied: 5 }, open: 2 });
  t.end();
});
