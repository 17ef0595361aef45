import { test } from 'tap';
import { endpointOf, mesh, service, workload } from '#shared/testing/topology.ts';
import { SERVICE_DEFAULTS, type Service, type Workload } from '#shared/workload/workload.ts';
import { resolveQuestion, type Resolution } from './resolve-question.ts';
import { TYPES } from './testing/messages.ts';

const DOMAIN = 'shop.svc.cluster.local';
const inShop = (name: string, fields: Partial<Service> = {}): Service =>
  service(name, { namespace: 'shop', ...fields });
const web = inShop('web');
const balanced = inShop('balanced', { addresses: [vip('10.96.0.1')] });
const early = inShop('early', {
  loadBalancing: { routingPreference: [], mode: 'unspecified', healthPolicy: 'allow_all' },
});
const mixed = inShop('mixed');
const narrow = inShop('narrow', { ipFamilies: 'ipv4_only' });
const wide = inShop('wide', { ipFamilies: 'ipv6_only' });
const far = inShop('far');
const hidden = inShop('hidden', { visibility: 'namespace' });
const source = workload('client', { namespace: 'shop', addresses: ['10.77.0.1', 'fd77::1'] });

function vip(ip: string): Service['addresses'][number] {
  return { network: '', ip, prefixLength: undefined };
}

/** A pod of a Service, as its EndpointSlice names it. */
function named(name: string, of: Service, addresses: string[], fields: Partial<Workload> = {}): Workload {
  return workload(name, {
    namespace: 'shop',
    addresses,
    dnsName: `${name}.${of.hostname}`,
    services: endpointOf(of),
    ...fields,
  });
}

const VIEW = mesh({
  workloads: [
    source,
    named('web-0', web, ['10.0.0.1', 'fd00::1']),
    named('web-1', web, ['10.0.0.2'], { services: endpointOf(web, mixed) }),
    named('web-2', web, ['10.0.0.3'], { status: 'unhealthy' }),
    named('web-3', web, ['10.0.9.9'], { networkMode: 'host_network' }),
    named('balanced-0', balanced, ['10.0.1.1']),
    named('early-0', early, ['10.0.2.1'], { status: 'unhealthy' }),
    named('mixed-0', mixed, ['10.0.3.1']),
    workload('mixed-x', { namespace: 'shop', addresses: ['10.0.3.2'], services: endpointOf(mixed) }),
    named('narrow-0', narrow, ['10.0.4.1', 'fd00:4::1']),
    named('wide-0', wide, ['10.0.5.1', 'fd00:5::1']),
    named('far-0', far, ['10.0.6.1'], { network: 'far' }),
    named('hidden-0', hidden, ['10.0.7.1']),
    named('twin-a', web, ['10.0.8.1'], { dnsName: `twin.${web.hostname}` }),
    named('twin-b', web, ['10.0.8.2'], { dnsName: `twin.${web.hostname}` }),
  ],
  services: [web, balanced, early, mixed, narrow, wide, far, hidden, inShop('empty'), ...entries()],
});

/** Of ServiceEntries, which somebody has named as pods are. */
function entries(): readonly Service[] {
  const entry = (hostname: string, ip: string, namespace = 'shop'): Service => ({
    ...SERVICE_DEFAULTS,
    ...service(hostname, { hostname, namespace, canonical: false, addresses: [vip(ip)] }),
  });
  return [
    entry(`web-1.web.${DOMAIN}`, '240.240.0.1'),
    entry(`*.balanced.${DOMAIN}`, '240.240.0.2'),
    entry(`*.early.${DOMAIN}`, '240.240.0.3'),
    { ...entry('web-0.web', '240.240.0.4'), visibility: 'namespace' },
  ];
}

function ask(name: string, type: number, from = source, isCurrent = true): Resolution {
  const question = { name, type, class: 1, end: 0, edns: undefined };
  return resolveQuestion(VIEW, from, question, {
    clusterDomain: 'cluster.local',
    random: () => 0,
    isCurrent: () => isCurrent,
  });
}

const known = (...ips: string[]): Resolution => ({ kind: 'known', alias: undefined, ips });
const NOBODY = { kind: 'nobody' } as const;
const FORWARD = { kind: 'forward' } as const;

for (const [sentence, name, type, expected] of [
  ['a pod of a headless Service has its address', 'web-0.web', TYPES.A, known('10.0.0.1')],
  ['of either family', 'web-0.web', TYPES.AAAA, known('fd00::1')],
  ['without an address of the family the answer is empty', 'web-3.web', TYPES.AAAA, known()],
  ['hints of addresses are none', 'web-0.web', TYPES.HTTPS, known()],
  ['a pod on the network of its host has that of its node', 'web-3.web', TYPES.A, known('10.0.9.9')],
  ['two of one name have both', 'twin.web', TYPES.A, known('10.0.8.1', '10.0.8.2')],
  ['a pod of a Service with a cluster address as well', 'balanced-0.balanced', TYPES.A, known('10.0.1.1')],
  ['a Service that publishes pods that are not ready', 'early-0.early', TYPES.A, known('10.0.2.1')],
  ['a Service of IPv4 alone has none of its pods other addresses', 'narrow-0.narrow', TYPES.AAAA, known()],
  ['nor one of IPv6', 'wide-0.wide', TYPES.A, known()],
  ['with those of its family', 'wide-0.wide', TYPES.AAAA, known('fd00:5::1')],
  ['a ServiceEntry of that very name goes before', 'web-1.web', TYPES.A, known('240.240.0.1')],
  ['a wildcard of one does not', 'balanced-0.balanced', TYPES.A, known('10.0.1.1')],
  ['nor one that is named so for short', 'web-0.web', TYPES.A, known('10.0.0.1')],
  ['but has the names of no pod', 'x.early', TYPES.A, known('240.240.0.3')],
  ['there is no pod of that name', 'web-9.web', TYPES.A, NOBODY],
  ['whatever is asked of it', 'web-9.web', TYPES.HTTPS, NOBODY],
  ['a pod that is not ready is none', 'web-2.web', TYPES.A, NOBODY],
  ['a pod of a Service that has others without a name', 'mixed-0.mixed', TYPES.A, known('10.0.3.1')],
  ['which may have one that is not known here', 'mixed-x.mixed', TYPES.A, FORWARD],
  ['another Service gave it the name it is known by', 'web-1.mixed', TYPES.A, FORWARD],
  ['a pod of another network', 'far-0.far', TYPES.A, FORWARD],
  ['a Service without endpoints', 'empty-0.empty', TYPES.A, FORWARD],
  ['a Service that is not known', 'other-0.other', TYPES.A, FORWARD],
  ['two labels before the Service', 'a.web-0.web', TYPES.A, FORWARD],
  ['a port of it, which only SRV asks for', '_tcp.web', TYPES.A, FORWARD],
  ['SRV', 'web-0.web', TYPES.SRV, FORWARD],
] as const) {
  test(`${sentence}: ${name}`, async t => t.match(ask(`${name}.${DOMAIN}`, type), expected));
}

test('the addresses are all that is told', async t => {
  t.same(ask(`web-3.web.${DOMAIN}`, TYPES.AAAA), known());
  t.same(ask(`narrow-0.narrow.${DOMAIN}`, TYPES.AAAA), known());
  t.same(ask(`narrow.${DOMAIN}`, TYPES.AAAA), known(), 'of the Service itself as well');
  t.same(ask(`narrow.${DOMAIN}`, TYPES.A), known('10.0.4.1'));
});

test('no name is denied by what may be out of date', async t => {
  t.match(ask(`web-9.web.${DOMAIN}`, TYPES.A, source, false), FORWARD);
  t.same(ask(`web-0.web.${DOMAIN}`, TYPES.A, source, false), known('10.0.0.1'), 'what is there is told');
});

test('pods of a Service that a namespace does not know are not known there', async t => {
  const other = workload('other', { namespace: 'other', addresses: ['10.77.0.2'] });
  t.match(ask(`hidden-0.hidden.${DOMAIN}`, TYPES.A, other), FORWARD);
  t.same(ask(`hidden-0.hidden.${DOMAIN}`, TYPES.A), known('10.0.7.1'));
  t.same(ask(`web-0.web.${DOMAIN}`, TYPES.A, other), known('10.0.0.1'), 'others are, by their full name');
  t.match(ask('web-0.web', TYPES.A, other), FORWARD, 'a short one is completed by its search domains');
});

test('a pod is told no address of a family that it has no way to', async t => {
  const v4 = workload('v4', { namespace: 'shop', addresses: ['10.77.0.2'] });
  t.same(ask(`web-0.web.${DOMAIN}`, TYPES.AAAA, v4), known());
});
