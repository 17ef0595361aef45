import { test } from 'tap';
import { IndexLab, SHOP } from '../testing/index-lab.ts';

function pod(names: string): string {
  return `{apiVersion: v1, kind: Pod, metadata: {name: db-0, namespace: shop, labels: {app: db}}, spec: {${names}}, status: {phase: Running, podIP: 10.0.0.1}}`;
}

function service(name: string, selector = ''): string {
  return `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: shop}, spec: {clusterIP: None, ${selector} ports: [{name: pg, port: 5432}]}}`;
}

/** Of a Service without selector, with the pod as its endpoint. */
function slice(of: string, hostname: string): string {
  return `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ${of}-x, namespace: shop, labels: {kubernetes.io/service-name: ${of}}}, addressType: IPv4, ports: [{name: pg, port: 5432}], endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: db-0}${hostname}}]}`;
}

const SELECTS = service('db', 'selector: {app: db},');
const OWN = pod('hostname: db-0, subdomain: db');

for (const [sentence, objects, expected] of [
  ['a pod has the name that it asks for, in the Service that selects it', [OWN, SELECTS], 'db-0.db'],
  ['none in a Service that does not', [OWN, service('db', 'selector: {app: x},')], ''],
  ['none before there is the Service', [OWN], ''],
  ['none without a subdomain', [pod('hostname: db-0'), SELECTS], ''],
  ['nor without a hostname', [pod('subdomain: db'), SELECTS], ''],
  ['the one an EndpointSlice gives it', [pod(''), service('a'), slice('a', ', hostname: one')], 'one.a'],
  ['none of one that gives none', [pod(''), service('a'), slice('a', '')], ''],
  ['its own goes before', [OWN, SELECTS, service('a'), slice('a', ', hostname: one')], 'db-0.db'],
  [
    'of several the first Service by name counts, whichever came first',
    [pod(''), service('b'), slice('b', ', hostname: one'), service('a'), slice('a', ', hostname: two')],
    'two.a',
  ],
] as const) {
  test(sentence, t => {
    const lab = new IndexLab(SHOP, ...objects);
    const name = lab.workload('db-0')?.dnsName;
    t.equal(name, expected === '' ? '' : `${expected}.shop.svc.cluster.local`);
    t.end();
  });
}

test('a Service that comes later names its pods', t => {
  const lab = new IndexLab(SHOP, OWN);
  lab.apply(SELECTS);
  t.equal(lab.workload('db-0')?.dnsName, 'db-0.db.shop.svc.cluster.local');
  lab.remove(SELECTS);
  t.equal(lab.workload('db-0')?.dnsName, '');
  t.end();
});
