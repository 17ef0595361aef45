import { test } from 'tap';
import { commandsOf } from './commands.ts';
import { EventReader } from './event-reader.ts';
import { readRoute, type Route, routeHash, viewQuery } from './route.ts';

const ALL = { namespace: '', filter: '' };

/** [address, route, what the server is asked] */
const ROUTES: readonly (readonly [string, Route, string])[] = [
  ['#/graph', { page: 'graph', by: 'service', ...ALL }, 'view=graph&by=service'],
  [
    '#/graph?by=workload&namespace=shop&filter=a+b',
    { page: 'graph', by: 'workload', namespace: 'shop', filter: 'a b' },
    'view=graph&by=workload&namespace=shop&filter=a+b',
  ],
  ['#/services', { page: 'services', ...ALL }, 'view=services'],
  [
    '#/problems?namespace=shop',
    { page: 'problems', namespace: 'shop', filter: '' },
    'view=problems&namespace=shop',
  ],
  [
    '#/service/shop/payments',
    { page: 'detail', by: 'service', name: 'shop/payments', ...ALL },
    'view=detail&by=service&name=shop%2Fpayments',
  ],
  [
    '#/workload/a%2Fb%3F/%3Cimg%20src%3Dx%3E%23',
    { page: 'detail', by: 'workload', name: 'a/b?/<img src=x>#', ...ALL },
    'view=detail&by=workload&name=a%2Fb%3F%2F%3Cimg+src%3Dx%3E%23',
  ],
];

test('addresses of views', t => {
  for (const [hash, route, query] of ROUTES) {
    t.same(readRoute(hash), route, hash);
    t.same(readRoute(routeHash(route)), route, `${hash} and back`);
    t.equal(viewQuery(route).toString(), query);
  }
  for (const hash of ['', '#', '#/nowhere', '#/service', '#/service/%E0%A4%A'])
    t.ok(['graph', 'detail'].includes(readRoute(hash).page), `${hash} leads somewhere`);
  t.end();
});

/** [sentence, pieces, events] */
const STREAMS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['one event', ['data: a\n\n'], ['a']],
  ['in pieces', ['da', 'ta: a', '\n', '\ndata', ': b\n\n'], ['a', 'b']],
  ['comments are none', [': here\n\ndata: a\n\n: here\n\n'], ['a']],
  ['several lines of data are one', ['data: a\ndata: b\n\n'], ['a\nb']],
  ['what has no end is not there yet', ['data: a\n'], []],
];

test('server-sent events', t => {
  for (const [sentence, pieces, events] of STREAMS) {
    const reader = new EventReader();
    t.same(
      pieces.flatMap(piece => reader.push(piece)),
      events,
      sentence,
    );
  }
  t.end();
});

/** [route, pod, commands] */
const COMMANDS: readonly (readonly [Route, string, readonly string[]])[] = [
  [
    { page: 'graph', by: 'workload', namespace: 'shop', filter: '' },
    '',
    [
      'ambientctl stat workload -n shop --context c',
      'ambientctl ztunnel-config connections -n shop --context c',
    ],
  ],
  [
    { page: 'detail', by: 'workload', name: 'shop/orders', ...ALL },
    'orders-0',
    [
      'ambientctl describe pod shop/orders-0 --context c',
      'ambientctl stat workload -n shop --context c',
      'ambientctl logs shop/orders-0 --tail 20 --context c',
      'ambientctl authz check shop/orders-0 --from NAMESPACE/POD --context c',
    ],
  ],
  [
    { page: 'policies', namespace: "x'; rm -rf /; '", filter: '' },
    '',
    [String.raw`ambientctl ztunnel-config policies -n 'x'\''; rm -rf /; '\''' --context c`],
  ],
];

test('commands that show the same', t => {
  for (const [route, pod, wanted] of COMMANDS)
    t.same(
      commandsOf(route, { options: ' --context c', isCluster: true, pod }).map(c => c.command),
      wanted,
    );
  t.end();
});
