import { test } from 'tap';
import { routeRule } from '#shared/testing/route.ts';
import { mergeRules } from './merge-rules.ts';

test('mergeRules', async t => {
  const gatewayRule = routeRule({ name: 'gateway-api' });
  const virtualService = (name: string, day: string) => ({
    creationTimestamp: `2026-01-${day}T00:00:00Z`,
    namespace: 'shop',
    name,
    rules: [routeRule({ name: `${name}/1` }), routeRule({ name: `${name}/0` })],
  });
  const merged = mergeRules([gatewayRule], [virtualService('young', '02'), virtualService('old', '01')]);
  t.same(
    merged.map(rule => rule.name),
    ['gateway-api', 'old/1', 'old/0', 'young/1', 'young/0'],
    'Gateway API first, then VirtualServices, oldest first, in their own order',
  );
});
