import { test } from 'tap';
import { endpointOf, mesh, port, service, workload } from '../testing/topology.ts';
import { chooseEndpoint, type EndpointQuery } from './endpoint-choice.ts';
import type { LoadBalancing, Service, Workload } from './workload.ts';

const plain = service('s', { ports: [port(80, 8080), port(81, 0)] });
const pod = (name: string, ip: string, fields: Partial<Workload> = {}) =>
  workload(name, { addresses: [ip], services: endpointOf(plain), ...fields });

function choose(pods: readonly Workload[], fields: Partial<EndpointQuery> = {}, of: Service = plain) {
  const store = mesh({ workloads: pods });
  return chooseEndpoint({
    endpoints: store.endpoints(`${of.namespace}/${of.hostname}`),
    service: of,
    servicePort: 80,
    source: undefined,
    excluded: new Set(),
    random: 0,
    preferIpv6: false,
    ...fields,
  });
}

/** Share of each pod over evenly spread random numbers. */
function shares(pods: readonly Workload[], fields: Partial<EndpointQuery> = {}, of: Service = plain) {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 100; i++) {
    const choice = choose(pods, { ...fields, random: i / 100 }, of);
    const name = choice.ok ? choice.workload.name : 'none';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test('which endpoints may be chosen', t => {
  const a = pod('a', '10.0.0.1');
  const b = pod('b', '10.0.0.2');
  const rows: [sentence: string, actual: object, expected: object][] = [
    ['equal capacities get equal shares', shares([a, b]), { a: 50, b: 50 }],
    ['capacity is a weight', shares([a, { ...b, capacity: 3 }]), { a: 25, b: 75 }],
    ['capacity 0 takes none', shares([a, { ...b, capacity: 0 }]), { a: 100 }],
    ['an unhealthy endpoint takes none', shares([a, { ...b, status: 'unhealthy' }]), { a: 100 }],
    ['an endpoint without an address takes none', shares([a, { ...b, addresses: [] }]), { a: 100 }],
    ['an endpoint tried already takes none', shares([a, b], { excluded: new Set([a.uid]) }), { b: 100 }],
    [
      'an endpoint of another network takes none',
      shares([a, { ...b, network: 'far' }], { source: workload('client') }),
      { a: 100 },
    ],
  ];
  for (const [sentence, actual, expected] of rows) t.strictSame(actual, expected, sentence);
  const lenient = { ...plain, loadBalancing: lb('unspecified', [], 'allow_all') };
  t.strictSame(
    shares([a, { ...b, status: 'unhealthy' }], {}, lenient),
    { a: 50, b: 50 },
    'allow_all takes the unhealthy too',
  );
  t.end();
});

test('locality: the best rank first, falling back rank by rank', t => {
  const at = (region: string, zone: string) => ({ locality: { region, zone, subzone: '' } });
  const client = workload('client', at('r1', 'z1'));
  const near = pod('near', '10.0.0.1', at('r1', 'z1'));
  const region = pod('region', '10.0.0.2', at('r1', 'z2'));
  const far = pod('far', '10.0.0.3', at('r2', 'z1'));
  const failover = { ...plain, loadBalancing: lb('failover', ['region', 'zone']) };
  const strict = { ...plain, loadBalancing: lb('strict', ['region', 'zone']) };
  const source = { source: client };
  t.strictSame(shares([near, region, far], source, failover), { near: 100 });
  t.strictSame(
    shares([region, far], source, failover),
    { region: 100 },
    'the same zone name in another region is not near',
  );
  t.strictSame(shares([far], source, failover), { far: 100 });
  t.strictSame(
    shares([{ ...near, status: 'unhealthy' }, region], source, failover),
    { region: 100 },
    'health comes first',
  );
  t.strictSame(shares([near, region], source, strict), { near: 100 });
  t.strictSame(shares([region, far], source, strict), { none: 100 }, 'strict never falls back');
  t.strictSame(shares([near, far], source, plain), { near: 50, far: 50 }, 'no preference, no locality');
  t.end();
});

test('port and address of the chosen endpoint', t => {
  const dual = pod('dual', '10.0.0.1', { addresses: ['10.0.0.1', 'fd00::1'] });
  t.match(choose([dual]), { ip: '10.0.0.1', port: 8080 });
  t.match(choose([dual], { preferIpv6: true }), { ip: 'fd00::1' }, 'of the family that was asked for');
  t.match(choose([pod('v4', '10.0.0.1')], { preferIpv6: true }), { ip: '10.0.0.1' }, 'else what there is');
  t.match(choose([dual], { servicePort: 81 }), { port: 81 }, 'target port 0 is the service port');
  const own = pod('own', '10.0.0.2', {
    services: new Map([['default/s.default.svc.cluster.local', [port(80, 9090)]]]),
  });
  t.match(choose([own]), { port: 9090 }, 'a named target port may differ from pod to pod');
  t.end();
});

test('when there is no endpoint the reason says why', t => {
  const a = pod('a', '10.0.0.1');
  const reason = (choice: ReturnType<typeof choose>) => (choice.ok ? '' : choice.reason);
  t.match(reason(choose([])), /has no endpoints$/);
  t.match(reason(choose([a], { servicePort: 99 })), /has no port 99$/);
  t.match(reason(choose([a], { excluded: new Set([a.uid]) })), /every endpoint was tried \(1\)$/);
  t.match(reason(choose([{ ...a, status: 'unhealthy' }])), /no healthy endpoint \(of 1\)$/);
  t.match(reason(choose([{ ...a, network: 'far' }], { source: workload('c') })), /only in other networks/);
  t.end();
});

function lb(
  mode: LoadBalancing['mode'],
  routingPreference: LoadBalancing['routingPreference'],
  healthPolicy: LoadBalancing['healthPolicy'] = 'only_healthy',
): LoadBalancing {
  return { mode, routingPreference, healthPolicy };
}
