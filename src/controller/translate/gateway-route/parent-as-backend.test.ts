import { test } from 'tap';
import { kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateGrpcRoute } from '../grpc-route/grpc-route.ts';
import { translateHttpRoute } from '../http-route/http-route.ts';

const SERVICES = servicesOf({ 'shop/payments': [80, 8080], 'shop/orders': [80] });
const PLAIN = { group: '', kind: 'Service', name: 'payments', port: 80 };
const CORE = { ...PLAIN, group: 'core' };
const RETRIES = { annotations: { 'retry.linkerd.io/http': '5xx' } };
const TIMEOUT = { annotations: { 'timeout.linkerd.io/request': '1s' } };
const REDIRECT = { type: 'RequestRedirect', requestRedirect: { hostname: 'shop.test' } };

/** [sentence, parents, rules, metadata, service:port of the first rule’s backends at each attachment, whether it is said] */
const ROWS: readonly [string, readonly object[], readonly object[], object, readonly string[][], boolean][] =
  [
    ['by Gateway API it leads nowhere', [PLAIN], [{}], {}, [[]], true],
    ['the group is named as in Linkerd', [CORE], [{}], {}, [['payments:80']], false],
    ['it has annotations for retries', [PLAIN], [{}], RETRIES, [['payments:80']], false],
    ['it has annotations for timeouts', [PLAIN], [{}], TIMEOUT, [['payments:80']], false],
    [
      'of a parent without a port each port leads to itself',
      [{ ...CORE, port: undefined }],
      [{}],
      {},
      [['payments:80'], ['payments:8080']],
      false,
    ],
    [
      'each parent is led to itself',
      [CORE, { ...CORE, name: 'orders' }],
      [{}],
      {},
      [['payments:80'], ['orders:80']],
      false,
    ],
    ['one of its parents is named as by Gateway API', [CORE, PLAIN], [{}], {}, [['payments:80'], []], true],
    [
      'a backend that is named is the one',
      [{ ...CORE, port: undefined }],
      [{ backendRefs: [{ name: 'orders', port: 80 }] }],
      {},
      [['orders:80']],
      false,
    ],
    ['a redirect leads nowhere else', [CORE], [{ filters: [REDIRECT] }], {}, [[]], false],
  ];

test('a rule without backends leads to the parent where the route is written for Linkerd', async t => {
  for (const [name, parentRefs, rules, metadata, expected, isSaid] of ROWS) {
    const route = kubeObject('HTTPRoute', { parentRefs, rules }, metadata);
    const result = translateHttpRoute(route, SERVICES);
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    const { attachments } = result.value;
    const found = attachments.map(
      ({ rules: [first] }) =>
        first?.rule.backends.map(({ service, port }) => `${service?.split(/[/.]/)[1]}:${port}`) ?? [],
    );
    t.same(found, expected, name);
    t.equal(
      result.diagnostics.some(({ field }) => field === 'spec.rules[0].backendRefs'),
      isSaid,
      name,
    );
    for (const {
      port,
      rules: [first],
    } of attachments)
      t.ok(
        first?.rule.backends.every(backend => port === undefined || backend.port === port),
        name,
      );
  }
});

test('calls of gRPC likewise', async t => {
  const rules = [{ matches: [{ method: { service: 'shop.Payments' } }] }];
  const result = translateGrpcRoute(kubeObject('GRPCRoute', { parentRefs: [CORE], rules }), SERVICES);
  const backends = [{ service: /payments/, port: 80, weight: 1 }];
  t.match(result, {
    ok: true,
    value: { attachments: [{ rules: [{ rule: { backends } }] }] },
    diagnostics: [],
  });
});
