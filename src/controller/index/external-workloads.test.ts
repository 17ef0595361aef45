import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import type { Workload } from '#shared/workload/workload.ts';
import { IndexLab, pod, policy, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

interface MachineOptions {
  readonly ready?: string;
  readonly ports?: string;
  readonly meta?: string;
  readonly ip?: string;
}

function machine(name = 'vm', options: MachineOptions = {}): string {
  const { ip = '192.0.2.7', meta = 'labels: {app: payments}', ports = '[{name: web, port: 8080}]' } = options;
  const { ready = 'True' } = options;
  return `{apiVersion: workload.linkerd.io/v1beta1, kind: ExternalWorkload, metadata: {name: ${name}, namespace: shop, ${meta}}, spec: {meshTLS: {identity: spiffe://td/ns/shop/sa/legacy, serverName: a}, workloadIPs: [{ip: ${ip}}], ports: ${ports}}, status: {conditions: [{type: Ready, status: "${ready}"}]}}`;
}

function server(spec: string): string {
  return `{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: api, namespace: shop}, spec: {${spec}}}`;
}

const UID = 'c/workload.linkerd.io/ExternalWorkload/shop/vm';

function workload(lab: IndexLab, uid = UID): Workload | undefined {
  const found = lab.resource(uid);
  return found?.kind === 'workload' ? found.workload : undefined;
}

/** Ports that the Service `payments` reaches at it. */
function targets(lab: IndexLab): readonly number[] | undefined {
  const ports = workload(lab)?.services.get('shop/payments.shop.svc.cluster.local');
  return ports?.map(({ targetPort }) => targetPort);
}

test('a machine is an endpoint of the Services that select it, with an identity of its namespace', t => {
  const lab = new IndexLab(SHOP, machine(), service('payments'), service('orders'));
  t.match(workload(lab), {
    addresses: ['192.0.2.7'],
    serviceAccount: 'legacy',
    trustDomain: 'td',
    tunnelProtocol: 'hbone',
    status: 'healthy',
    canonicalName: 'payments',
  });
  t.same([...(workload(lab)?.services.keys() ?? [])], ['shop/payments.shop.svc.cluster.local']);
  t.same(targets(lab), [8080]);
  t.end();
});

for (const [sentence, ports, of, expected] of [
  ['by a name that it declares', '[{name: web, port: 8080}]', 'web', [8080]],
  ['not by one that it does not', '[{name: http, port: 8080}]', 'web', []],
  ['by a number that it declares', '[{port: 9000}]', '9000', [9000]],
  ['not by one that it does not, otherwise than a pod', '[{port: 9000}]', '8080', []],
  ['not by one of UDP', '[{port: 9000, protocol: UDP}]', '9000', []],
] as const) {
  test(`a Service reaches a port of a machine ${sentence}`, t => {
    const to = service('payments', { ports: `[{name: http, port: 80, targetPort: ${of}}]` });
    t.same(targets(new IndexLab(SHOP, machine('vm', { ports }), to)), expected);
    t.end();
  });
}

test('only what a change touches is published', t => {
  const lab = new IndexLab(SHOP, machine(), machine('vm-2', { ip: '192.0.2.8' }), service('payments'));
  lab.apply(machine('vm', { ready: 'False' }));
  t.same(lab.take(), [UID]);
  t.equal(workload(lab)?.status, 'unhealthy', 'until somebody says that it is ready');
  lab.apply(machine('vm', { ready: 'False' }));
  t.same(lab.take(), [], 'the same again is no change');
  lab.remove(machine());
  t.same(lab.take(), [UID]);
  t.equal(workload(lab), undefined);
  t.end();
});

test('policies with a selector are for machines as well', t => {
  const deny = policy('deny', '{selector: {matchLabels: {app: payments}}, action: DENY, rules: [{}]}');
  const lab = new IndexLab(SHOP, deny, machine());
  t.same(workload(lab)?.authorizationPolicies, ['shop/deny']);
  t.end();
});

for (const [sentence, spec, expected] of [
  ['one that selects machines is for them', 'externalWorkloadSelector: {}, port: web', ['vm']],
  ['by their labels', 'externalWorkloadSelector: {matchLabels: {app: other}}, port: web', []],
  ['by the number of a port', 'externalWorkloadSelector: {}, port: 8080', ['vm']],
  ['not by a name that they do not have', 'externalWorkloadSelector: {}, port: admin', []],
  ['one that selects pods is for those alone', 'podSelector: {}, port: web', ['payments']],
] as const) {
  test(`a Server of Linkerd: ${sentence}`, t => {
    const lab = new IndexLab(SHOP, machine(), pod('payments'), server(spec));
    const held = [workload(lab), lab.workload('payments')].flatMap(one =>
      one !== undefined && one.authorizationPolicies.length > 0 ? [one.name] : [],
    );
    t.same(held, expected);
    t.end();
  });
}

test('a waypoint holds what a Server for machines says, for the port of their Service', t => {
  const lab = new IndexLab(
    SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'),
    WAYPOINT,
    service('waypoint', { ports: '[{name: mesh, port: 15008}]' }),
    service('payments'),
    machine(),
    server('externalWorkloadSelector: {}, port: web, accessPolicy: all-authenticated'),
  );
  const mayCome = (from: string | undefined): boolean => {
    const policies = lab.routes('payments')?.authorizationPolicies ?? [];
    const connection = authzConnection({
      sourceIdentity: from,
      sourceIp: '10.0.0.9',
      destinationIp: '10.96.0.1',
      destinationPort: 80,
    });
    return evaluate(compile(policies), connection).allowed;
  };
  t.equal(mayCome(undefined), false);
  t.equal(mayCome('spiffe://td/ns/shop/sa/web'), true);
  t.end();
});

test('what Linkerd’s annotations of a machine say of ports without a Server', t => {
  const meta = 'annotations: {config.linkerd.io/default-inbound-policy: deny}';
  const lab = new IndexLab(SHOP, machine('vm', { meta }), pod('vm'));
  t.same(workload(lab)?.authorizationPolicies, ['shop/default-inbound-policy_deny']);
  t.same(lab.workload('vm')?.authorizationPolicies, [], 'a pod of that name has its own');
  t.end();
});

test('a machine is behind the waypoint that it, or its namespace, asks for', t => {
  const forAll = WAYPOINT.replace(
    'namespace: shop}',
    'namespace: shop, labels: {istio.io/waypoint-for: all}}',
  );
  const meta = 'labels: {istio.io/use-waypoint: waypoint}';
  const lab = new IndexLab(SHOP, forAll, machine('vm', { meta }), policy('all', '{rules: [{}]}'));
  t.match(workload(lab)?.waypoint, { hostname: 'waypoint.shop.svc.cluster.local' });
  t.match(lab.policy('shop/all')?.rules.at(-1), {
    clauses: [{ matches: [{ principals: [{ value: 'td/ns/shop/sa/waypoint' }] }] }],
  });
  t.end();
});
