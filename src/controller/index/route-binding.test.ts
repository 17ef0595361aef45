import { test } from 'tap';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import { routeRule } from '#shared/testing/route.ts';
import type { RouteKind } from '../translate/gateway-route/route-translation.ts';
import { type BoundRoute, bindRoutes } from './route-binding.ts';

interface RouteOptions {
  readonly port?: number;
  readonly consumer?: string;
  readonly created?: string;
}

/** A route of one rule that is named as its kind and name. */
function route(
  kind: RouteKind,
  name: string,
  { consumer, created = '', port }: RouteOptions = {},
): BoundRoute {
  const rule = routeRule({ name: `${kind}/${name}` });
  const rank = { creationTimestamp: created, namespace: 'shop', name, ruleIndex: 0, specificity: undefined };
  const attachment = { service: 'shop/orders', port, consumer, rules: [{ rule, ...rank }], streams: [] };
  return { route: `${kind}/shop/${name}`, kind, attachment };
}

const PORTS = [80, 7070];
const bind = (...routes: readonly BoundRoute[]): string[] =>
  bindRoutes(routes, PORTS).rules.map(
    ({ consumer, name, ports }) =>
      `${name} ${ports.join()}${consumer === undefined ? '' : ` of ${consumer}`}`,
  );

test('routes of one kind are merged: oldest first, then by name', async t => {
  const routes = [
    route('HTTPRoute', 'b', { created: '2026-01-01' }),
    route('HTTPRoute', 'c', { created: '2025-01-01' }),
    route('HTTPRoute', 'a', { created: '2026-01-01', port: 80 }),
  ];
  t.same(bind(...routes), ['HTTPRoute/c ', 'HTTPRoute/a 80', 'HTTPRoute/b ']);
  t.same(bind(...routes.toReversed()), bind(...routes), 'whatever order they came in');
});

test('where kinds meet on a port only the most specific is applied', async t => {
  const grpc = route('GRPCRoute', 'g', { port: 7070 });
  const http = route('HTTPRoute', 'h');
  t.same(bind(http, grpc), ['GRPCRoute/g 7070', 'HTTPRoute/h 80'], 'the other keeps its other ports');
  const order = (['TCPRoute', 'HTTPRoute', 'TLSRoute', 'GRPCRoute'] as const).map(kind => route(kind, 'r'));
  t.same(bind(...order), ['GRPCRoute/r ']);
  t.same(bind(...order.slice(0, 3)), ['HTTPRoute/r ']);
  t.same(bind(...order.filter(({ kind }) => kind.startsWith('T'))), ['TLSRoute/r ']);
});

test('who gives way to whom is told, with the ports', async t => {
  const grpc = route('GRPCRoute', 'g', { port: 7070 });
  const { conflicts } = bindRoutes(
    [route('HTTPRoute', 'h'), route('TCPRoute', 't', { port: 7070 }), grpc],
    PORTS,
  );
  t.same(conflicts, [
    { route: 'HTTPRoute/shop/h', service: 'shop/orders', ports: [7070], whole: false, winner: 'GRPCRoute' },
    { route: 'TCPRoute/shop/t', service: 'shop/orders', ports: [7070], whole: true, winner: 'GRPCRoute' },
  ]);
});

test('consumer routes of each namespace are a world of their own', async t => {
  const routes = [
    route('GRPCRoute', 'producer'),
    route('HTTPRoute', 'one', { consumer: 'bank' }),
    route('TCPRoute', 'two', { consumer: 'desk' }),
  ];
  t.same(bind(...routes), ['GRPCRoute/producer ', 'HTTPRoute/one  of bank', 'TCPRoute/two  of desk']);
  t.same(bindRoutes(routes, PORTS).conflicts, []);
});

test('connections: by server name where TLSRoutes are, each of its ports and callers', async t => {
  const stream = (name: string, serverName: string): BoundRoute => {
    const bound = route('TLSRoute', name, { port: 443, consumer: 'bank' });
    const rule: StreamRule = {
      name: `TLSRoute/${name}`,
      protocol: 'tls',
      ports: [],
      consumer: undefined,
      callers: [],
      matches: [{ serverNames: [serverName], destinationIps: [], sourceIps: [], source: undefined }],
      backends: [],
      idleTimeoutMs: undefined,
    };
    const streams = [{ rule, creationTimestamp: '', namespace: 'shop', name }];
    return { ...bound, attachment: { ...bound.attachment, rules: [], streams } };
  };
  const { rules, streamRules } = bindRoutes(
    [stream('wide', '*.example.com'), stream('one', 'a.example.com')],
    [443],
  );
  t.same(rules, []);
  t.match(streamRules, [
    { name: 'TLSRoute/one', ports: [443], consumer: 'bank' },
    { name: 'TLSRoute/wide', ports: [443], consumer: 'bank' },
  ]);
});
