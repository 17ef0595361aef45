import { test } from 'tap';
import { routesHeldBy } from './canary-routes.ts';
import { NO_ROUTES, type ServiceRoutes } from './model.ts';

const SERVICE = { ...NO_ROUTES, namespace: 'shop', hostname: 'api.shop.svc.cluster.local' };
const OF_CANARY: ServiceRoutes = { ...SERVICE, routed: true };
const ROUTES: ServiceRoutes = {
  ...SERVICE,
  canary: { waypoint: { namespace: 'shop', hostname: 'next.shop.svc.cluster.local' }, routes: OF_CANARY },
};

test('what a waypoint holds of the routes of a service', t => {
  const rows: readonly [sentence: string, namespace: string, hostname: string, routed: boolean][] = [
    ['the canary: what is for it', 'shop', 'next.shop.svc.cluster.local', true],
    ['the waypoint beside it: the others', 'shop', 'wp.shop.svc.cluster.local', false],
    ['one of that name elsewhere: the others', 'bank', 'next.bank.svc.cluster.local', false],
    ['one that only calls itself so: the others', 'bank', 'next.shop.svc.cluster.local', false],
  ];
  for (const [sentence, namespace, hostname, routed] of rows)
    t.same(
      routesHeldBy(ROUTES, { namespace, hostname }),
      { ...SERVICE, routed, canary: undefined },
      sentence,
    );
  const waypoint = { namespace: 'shop', hostname: 'next.shop.svc.cluster.local' };
  t.equal(routesHeldBy(OF_CANARY, waypoint), OF_CANARY, 'without a canary there is nothing to choose');
  t.end();
});
