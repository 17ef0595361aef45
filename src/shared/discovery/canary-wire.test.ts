import { test } from 'tap';
import { NO_ROUTES, type ServiceRoutes } from '../route/model.ts';
import { decodeResource, encodeResource, SERVICE_ROUTES_TYPE } from './mesh-resource.ts';

const API: ServiceRoutes = { ...NO_ROUTES, namespace: 'shop', hostname: 'api.shop.svc.cluster.local' };
const waypoint = { namespace: 'shop', hostname: 'next.shop.svc.cluster.local' };

function decoded(canary: ServiceRoutes['canary']): ReturnType<typeof decodeResource> {
  const bytes = encodeResource({ kind: 'routes', routes: { ...API, canary } });
  return decodeResource(SERVICE_ROUTES_TYPE, `shop/${API.hostname}`, bytes);
}

test('the canary of a service that is told of another is refused', t => {
  const rows: readonly [sentence: string, canary: ServiceRoutes['canary'], reason: RegExp][] = [
    [
      'routes of another service',
      { waypoint, routes: { ...API, hostname: 'other' } },
      /^canary: routes: is of shop\/other$/,
    ],
    [
      'routes of a service without a name',
      { waypoint, routes: { ...API, hostname: '' } },
      /^canary: routes: hostname: is empty/,
    ],
    [
      'a waypoint without a name',
      { waypoint: { ...waypoint, hostname: '' }, routes: API },
      /^canary: hostname: is empty/,
    ],
  ];
  for (const [sentence, canary, reason] of rows) t.match(decoded(canary), { ok: false, reason }, sentence);
  const nested = decoded({ waypoint, routes: { ...API, routed: true, canary: { waypoint, routes: API } } });
  t.match(
    nested,
    {
      ok: true,
      resource: { routes: { canary: { waypoint, routes: { routed: true, canary: undefined } } } },
    },
    'one of a canary again is left out',
  );
  t.end();
});
