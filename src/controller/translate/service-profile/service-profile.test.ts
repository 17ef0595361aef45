import { test } from 'tap';
import { compileRoutes } from '#shared/route/match.ts';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateServiceProfile } from './service-profile.ts';

const SERVICES = servicesOf({ 'shop/payments': [80], 'shop/payments-v2': [80, 8080] });
const NAME = { name: 'payments.shop.svc.cluster.local' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateServiceProfile(object, SERVICES)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const route = (fields: object): object => ({ routes: [{ condition: { pathRegex: '/a' }, ...fields }] });
const ROUTE = 'spec.routes[0]';
const deep = (depth: number): object => (depth === 0 ? { method: 'GET' } : { not: deep(depth - 1) });

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', { route: [] }, 'spec.route', /no field of this object/],
  ['a route without a condition', { routes: [{}] }, `${ROUTE}.condition`, /is required/],
  ['a condition of nothing', route({ condition: {} }), `${ROUTE}.condition.all`, /is required/],
  [
    'a pattern that is malformed',
    route({ condition: { pathRegex: '(' } }),
    `${ROUTE}.condition.pathRegex`,
    /not closed/,
  ],
  [
    'a condition too deep',
    route({ condition: deep(9) }),
    /^spec\.routes\[0\]\.condition(\.not){8}/.source,
    /deeper than 8/,
  ],
  [
    'a class without a condition',
    route({ responseClasses: [{}] }),
    `${ROUTE}.responseClasses[0].condition`,
    /is required/,
  ],
  [
    'a range of statuses turned round',
    route({ responseClasses: [{ condition: { status: { min: 500, max: 400 } } }] }),
    `${ROUTE}.responseClasses[0].condition.status.max`,
    /smaller than min/,
  ],
  [
    'a range of no statuses',
    route({ responseClasses: [{ condition: { status: {} } }] }),
    `${ROUTE}.responseClasses[0].condition.status.min`,
    /is required/,
  ],
  ['a timeout that is none', route({ timeout: '300' }), `${ROUTE}.timeout`, /is not a duration/],
  [
    'an opaque port that is none',
    { opaquePorts: ['3306', '9-1'] },
    'spec.opaquePorts',
    /holds 9-1, which is no port/,
  ],
  ['a budget without a ratio', { retryBudget: {} }, 'spec.retryBudget.retryRatio', /number from 0/],
  [
    'a budget of too short a time',
    { retryBudget: { retryRatio: 0.2, ttl: '1ms' } },
    'spec.retryBudget.ttl',
    /from 1s to 60s/,
  ],
  [
    'an override without an authority',
    { dstOverrides: [{ weight: 1 }] },
    'spec.dstOverrides[0].authority',
    /is required/,
  ],
  [
    'a weight that is none',
    { dstOverrides: [{ authority: 'a', weight: 'all' }] },
    'spec.dstOverrides[0].weight',
    /no weight/,
  ],
  [
    'a weight that has no text',
    { dstOverrides: [{ authority: 'a', weight: { toString: 1 } }] },
    'spec.dstOverrides[0].weight',
    /no weight/,
  ],
];

test('a wrong ServiceProfile is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateServiceProfile(kubeObject('ServiceProfile', spec, NAME), SERVICES);
    t.equal(result.ok, false, name);
    const [found] = result.diagnostics.filter(one => one.severity === 'rejected');
    t.match(found, { message, fix: /./ }, name);
    if (field.startsWith('^')) t.match(found?.field, new RegExp(field), name);
    else t.equal(found?.field, field, name);
  }
});

const IGNORED: readonly [string, object, Partial<typeof NAME>, string, RegExp][] = [
  [
    'a name without a service',
    {},
    { name: 'nobody.shop.svc.cluster.local' },
    'metadata.name',
    /nothing is routed/,
  ],
  [
    'an override that leads nowhere',
    { dstOverrides: [{ authority: 'nobody:80', weight: 1 }] },
    NAME,
    'spec.dstOverrides[0].authority',
    /answered with 500/,
  ],
];

test('what is ignored is said', async t => {
  for (const [name, spec, over, field, message] of IGNORED) {
    const result = translateServiceProfile(kubeObject('ServiceProfile', spec, over), SERVICES);
    t.equal(result.ok, true, name);
    t.match(result.diagnostics[0], { field, message, severity: 'ignored' }, name);
  }
});

const CONDITIONS: readonly [string, object, string, string, boolean][] = [
  ['a pattern matches the whole path', { pathRegex: '/a' }, 'GET', '/a/b', false],
  ['without its query', { pathRegex: '/a' }, 'GET', '/a?b', true],
  ['a method matches', { method: 'post' }, 'POST', '/', true],
  ['two fields must both hold', { method: 'GET', pathRegex: '/a' }, 'POST', '/a', false],
  ['all must hold', { all: [{ pathRegex: '/a.*' }, { pathRegex: '.*b' }] }, 'GET', '/ab', true],
  ['…all', { all: [{ pathRegex: '/a.*' }, { pathRegex: '.*b' }] }, 'GET', '/a', false],
  ['any is enough', { any: [{ pathRegex: '/b' }, { method: 'GET' }] }, 'GET', '/a', true],
  ['not turns it round', { not: { method: 'GET' } }, 'GET', '/', false],
  [
    'trees are trees',
    { not: { any: [{ method: 'POST' }, { all: [{ pathRegex: '/x' }] }] } },
    'GET',
    '/a',
    true,
  ],
];

test('conditions', async t => {
  for (const [name, condition, method, path, expected] of CONDITIONS) {
    const spec = { routes: [{ name: 'it', condition }] };
    const result = translateServiceProfile(kubeObject('ServiceProfile', spec, NAME), SERVICES);
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    const request = { method, scheme: 'http', authority: 'payments', path, headers: [] };
    const found = compileRoutes({ rules: result.value.rules }).find(request, 80)?.rule.name;
    t.equal(found?.endsWith('/it'), expected, name);
  }
});

test('what a route retries is what counts as a failure', async t => {
  const codes = (responseClasses: object[]): readonly number[] | undefined => {
    const spec = route({ isRetryable: true, responseClasses });
    const result = translateServiceProfile(kubeObject('ServiceProfile', spec, NAME), SERVICES);
    return result.ok ? result.value.rules[0]?.retry?.statusCodes : undefined;
  };
  t.equal(codes([])?.length, 100, 'every 5xx');
  t.same(codes([{ condition: { status: { min: 500, max: 599 } }, isFailure: false }]), []);
  const teapot = {
    condition: { any: [{ status: { min: 418 } }, { status: { min: 503, max: 504 } }] },
    isFailure: true,
  };
  const good = { condition: { status: { min: 200 } }, isFailure: false };
  const spec = route({ isRetryable: true, responseClasses: [good] });
  const result = translateServiceProfile(kubeObject('ServiceProfile', spec, NAME), SERVICES);
  t.notMatch(result, { value: { rules: [{ retry: { on: /grpc/ } }] } }, 'a class for 200 decides for gRPC');
  const others = { condition: { not: { status: { min: 418 } } }, isFailure: false };
  t.same(codes([teapot, others]), [418, 503, 504], 'the first class that holds decides');
});
