import { test } from 'tap';
import type { HostAddresses } from '#shared/dns/host-lookup.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { delta, noRoutes, port, service } from '#shared/testing/topology.ts';
import { MeshStore } from '#shared/workload/mesh-store.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { AskedHosts } from './asked-hosts.ts';

const VENDOR = service('vendor', { hostname: '*.vendor.test', ports: [port(80, 8080)] });
const OTHER = service('other', { hostname: '*.test' });
const SERVICE = 'default/*.vendor.test';
const UID = 'c/networking.istio.io/ServiceEntry/default/*.vendor.test';
const BY_HOST = { endpointsByHost: true };

/** Name servers that answer what they are told, at once. */
function lab() {
  const clock = new FakeClock();
  const view = new MeshStore();
  const names = new Map<string, readonly string[]>();
  const asked: string[] = [];
  const failed: string[] = [];
  const lines: string[] = [];
  const apply = (change: MeshDelta): void => void view.apply(change);
  const hosts = new AskedHosts({
    view,
    place: { clusterId: 'c', network: 'n', ips: ['10.0.0.1'] },
    clock,
    random: () => 0,
    logger: loggerInto(lines, { scope: 'dns' }),
    lookup: host => {
      asked.push(host);
      const ips = names.get(host);
      if (ips === undefined) return Promise.reject(new Error(`no such name ${host}`));
      return Promise.resolve<HostAddresses>({ ips, ttlMs: 30_000 });
    },
    onDelta: apply,
    onFailed: ({ host, reason }) => void failed.push(`${host}: ${reason}`),
  });
  const change = (fields: Partial<MeshDelta>): void => {
    hosts.beforeChange(delta(fields));
    apply(delta(fields));
  };
  const want = async (host: string, of = SERVICE): Promise<void> => {
    hosts.wanted({ service: of, host });
    await settled();
  };
  const found = (of = SERVICE): string[] =>
    view.endpoints(of).map(({ workload }) => `${workload.hostname} ${workload.addresses.join()}`);
  change({
    services: [VENDOR, OTHER],
    routes: [noRoutes(VENDOR, BY_HOST), noRoutes(OTHER, BY_HOST)],
  });
  return { asked, change, clock, failed, found, hosts, lines, names, view, want };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve));
}

test('a host that is asked for has its addresses as endpoints, as they come and go', async t => {
  const { asked, clock, found, hosts, names, view, want } = lab();
  names.set('a.vendor.test', ['203.0.113.1', '203.0.113.2']);
  names.set('b.vendor.test', ['203.0.113.3']);
  await want('a.vendor.test');
  await want('b.vendor.test');
  await want('a.vendor.test');
  t.same(asked, ['a.vendor.test', 'b.vendor.test'], 'each is looked up once');
  t.same(found(), ['a.vendor.test 203.0.113.1', 'a.vendor.test 203.0.113.2', 'b.vendor.test 203.0.113.3']);
  t.match(view.workload(`${UID}/a.vendor.test/203.0.113.1`), {
    name: 'a.vendor.test',
    workloadName: 'vendor',
    canonicalName: 'vendor',
    tunnelProtocol: 'none',
    network: 'n',
    services: new Map([[SERVICE, [{ servicePort: 80, targetPort: 8080 }]]]),
  });
  t.equal(view.workloadByAddress('n', '203.0.113.1'), undefined, 'nobody owns an address by naming it');
  names.set('a.vendor.test', ['203.0.113.2', '203.0.113.4']);
  clock.advance(33_000);
  await settled();
  t.same(found().slice(0, 2), ['a.vendor.test 203.0.113.2', 'a.vendor.test 203.0.113.4']);
  hosts.close();
});

test('a name that is not resolved is said, and not asked for again for a while', async t => {
  const { asked, clock, failed, found, hosts, lines, names, want } = lab();
  await want('no.vendor.test');
  t.same(failed, ['no.vendor.test: no such name no.vendor.test']);
  await want('no.vendor.test');
  t.equal(asked.length, 1, 'at once it is the same');
  t.equal(failed.length, 2, 'and each is answered');
  names.set('no.vendor.test', ['203.0.113.1']);
  clock.advance(5_000);
  await want('no.vendor.test');
  t.same(found(), ['no.vendor.test 203.0.113.1']);
  names.set('self.vendor.test', ['127.0.0.1']);
  await want('self.vendor.test');
  t.match(failed.at(-1), /has no address that may be dialled from here: 127.0.0.1/);
  t.same(lines, [], 'clients choose names: their requests tell of them, not our log');
  hosts.close();
});

test('once resolved it stays while the name server fails', async t => {
  const { clock, failed, found, hosts, lines, names, want } = lab();
  names.set('a.vendor.test', ['203.0.113.1']);
  await want('a.vendor.test');
  names.delete('a.vendor.test');
  clock.advance(33_000);
  await settled();
  t.same(found(), ['a.vendor.test 203.0.113.1']);
  t.same(failed, []);
  t.match(lines, [/name not resolved/]);
  hosts.close();
});

test('a host that nobody has asked for for five minutes is forgotten', async t => {
  const { clock, found, hosts, names, want } = lab();
  for (const host of ['a.vendor.test', 'b.vendor.test']) names.set(host, ['203.0.113.1']);
  await want('a.vendor.test');
  await want('b.vendor.test');
  clock.advance(240_000);
  await want('a.vendor.test');
  clock.advance(120_000);
  t.same(found(), ['a.vendor.test 203.0.113.1']);
  clock.advance(300_000);
  t.same(found(), []);
  clock.advance(60_000);
  t.equal(clock.pendingTimers, 0, 'nothing is followed, no timer runs');
  hosts.close();
});

test('of more than 1,024 hosts those used last are kept', async t => {
  const { failed, found, hosts, names, want } = lab();
  for (let i = 0; i < 1_024; i++) {
    names.set(`${i}.vendor.test`, ['203.0.113.1']);
    hosts.wanted({ service: SERVICE, host: `${i}.vendor.test` });
  }
  for (let i = 0; i < 1_024; i++) await settled();
  t.equal(found().length, 1_024);
  await want('0.vendor.test');
  names.set('new.vendor.test', ['203.0.113.2']);
  await want('new.vendor.test');
  t.equal(found().length, 1_024);
  t.ok(found().includes('0.vendor.test 203.0.113.1'), 'it has just been used');
  t.notOk(found().includes('1.vendor.test 203.0.113.1'), 'the one used longest ago goes');
  t.match(failed, [/^1.vendor.test: more than 1024 hosts/], 'who may still wait for it is told');
  hosts.close();
});

test('the same name may be a host of two services', async t => {
  const { asked, found, hosts, names, want } = lab();
  names.set('a.vendor.test', ['203.0.113.1']);
  await want('a.vendor.test');
  await want('a.vendor.test', 'default/*.test');
  t.same(found('default/*.test'), ['a.vendor.test 203.0.113.1']);
  t.equal(asked.length, 1);
  hosts.close();
});

test('an address that a client dialled is its own endpoint, and no name server is asked', async t => {
  const { asked, change, found, hosts, want } = lab();
  const loadBalancing = { routingPreference: [], mode: 'passthrough', healthPolicy: 'only_healthy' } as const;
  const cloud = service('cloud', { hostname: '*.cloud.test', loadBalancing });
  change({ services: [cloud] });
  await want('203.0.113.9', 'default/*.cloud.test');
  t.same(found('default/*.cloud.test'), ['203.0.113.9 203.0.113.9']);
  t.same(asked, []);
  change({ removedServices: ['default/*.cloud.test'] });
  t.same(found('default/*.cloud.test'), []);
  hosts.close();
});

test('ports of a service are those of its hosts; of one that is gone, or lists its endpoints now, none are left', async t => {
  const { change, failed, found, hosts, names, view, want } = lab();
  names.set('a.vendor.test', ['203.0.113.1']);
  await want('a.vendor.test');
  change({ services: [{ ...VENDOR, ports: [port(443, 8443)] }] });
  t.match(view.workload(`${UID}/a.vendor.test/203.0.113.1`)?.services.get(SERVICE), [{ servicePort: 443 }]);
  change({ routes: [noRoutes(VENDOR)] });
  t.same(found(), [], 'endpoints that it lists are never mixed with those of a host');
  t.match(failed, [/has changed/]);
  change({ routes: [noRoutes(VENDOR, BY_HOST)] });
  await want('a.vendor.test');
  t.same(found(), ['a.vendor.test 203.0.113.1']);
  change({ removedServices: [SERVICE] });
  t.same(found(), []);
  await want('a.vendor.test');
  t.match(failed.at(-1), /service default\/\*.vendor.test is not known/);
  hosts.close();
});
