import { test } from 'tap';
import { routeRule } from '#shared/testing/route.ts';
import { mergeRules, type ObjectRoutes } from './merge-rules.ts';

function routes(dialect: ObjectRoutes['dialect'], name: string, day: string, wildcard = false): ObjectRoutes {
  return {
    dialect,
    object: name,
    field: 'spec.hosts',
    creationTimestamp: day === '' ? '' : `2026-01-${day}T00:00:00Z`,
    wildcard,
    rules: [routeRule({ name: `${name}/1` }), routeRule({ name: `${name}/0` })],
    streamRules: [],
  };
}

const merged = (...objects: ObjectRoutes[]) => {
  const { refused, rules } = mergeRules(objects);
  return {
    rules: rules.map(rule => rule.name),
    refused: refused.map(one => `${one.routes.object} by ${one.instead.object}`),
  };
};

test('mergeRules', async t => {
  t.same(merged(), { rules: [], refused: [] });
  t.same(
    merged(routes('Istio', 'young', '02'), routes('Istio', 'old', '01')),
    { rules: ['old/1', 'old/0', 'young/1', 'young/0'], refused: [] },
    'of one dialect the oldest first, each in its own order',
  );
  t.same(
    merged(
      routes('Gateway API', 'gateway', '02'),
      routes('Istio', 'istio', '01'),
      routes('Linkerd', 'l', '03'),
    ),
    { rules: ['istio/1', 'istio/0'], refused: ['gateway by istio', 'l by istio'] },
    'of several the one that was there first; the others are refused',
  );
  t.same(
    merged(
      routes('Consul', 'consul', ''),
      routes('Istio', 'istio', ''),
      routes('Gateway API', 'gateway', ''),
    ),
    { rules: ['gateway/1', 'gateway/0'], refused: ['istio by gateway', 'consul by gateway'] },
    'where none is older, in their order',
  );
  t.same(
    merged(routes('Istio', 'any', '01', true), routes('Istio', 'named', '02')),
    { rules: ['named/1', 'named/0'], refused: ['any by named'] },
    'who names the service goes before who names all',
  );
  t.same(merged(routes('Istio', 'any', '01', true)), { rules: ['any/1', 'any/0'], refused: [] });
});
