import { test } from 'tap';
import { podRoute } from './pod-route.ts';
import { formatLoopbackFile, parsePodView } from './pod-view.ts';

const services = new Map([
  [
    '127.101.0.10:8080',
    [
      { ip: '127.100.1.2', port: 80 },
      { ip: '127.100.2.2', port: 81 },
    ],
  ],
  ['127.101.0.11:8080', []],
]);
const hosts = '127.0.0.1 localhost\n127.101.0.10 orders orders.shop\n127.101.0.11 empty.shop\n';
const file = formatLoopbackFile(services, new Map([['127.100.1.2', 15080]]));
const meshed = parsePodView('127.100.1.2', hosts, file);
const unmeshed = parsePodView('127.100.1.3', hosts, file);

test('a pod of the mesh', t => {
  const route = (host: string) => podRoute(meshed, host, 8080, () => 0);
  for (const own of ['localhost', '127.0.0.1', '::1', '127.100.1.2']) {
    t.same(route(own), { kind: 'direct', ip: '127.100.1.2', port: 8080 }, `${own} is the pod itself`);
  }
  for (const other of [
    'orders.shop',
    '127.101.0.10',
    '127.100.2.2',
    '203.0.113.1',
    'fd00::1',
    'unknown.name',
  ]) {
    t.same(route(other), { kind: 'socks5', host: other, port: 8080 }, `${other} is its ztunnel's to resolve`);
  }
  t.end();
});

test('a pod outside the mesh', t => {
  const route = (host: string, random = 0) => podRoute(unmeshed, host, 8080, () => random);
  t.same(route('orders.shop'), { kind: 'direct', ip: '127.100.1.2', port: 80 }, 'a service by name');
  t.same(route('ORDERS'), { kind: 'direct', ip: '127.100.1.2', port: 80 }, 'whatever its case');
  t.same(
    route('127.101.0.10', 0.99),
    { kind: 'direct', ip: '127.100.2.2', port: 81 },
    'by cluster IP, at random',
  );
  t.same(route('127.100.2.2'), { kind: 'direct', ip: '127.100.2.2', port: 8080 }, 'a pod by its address');
  t.same(
    route('empty.shop'),
    { kind: 'direct', ip: '127.101.0.11', port: 8080 },
    'a service without endpoints refuses: nothing listens on its address',
  );
  t.same(route('example.com'), { kind: 'outside' }, 'a name of the world');
  t.end();
});

test('a damaged file names no endpoints and no mesh', t => {
  const view = parsePodView(
    '127.100.1.2',
    '',
    '{"services":{"a:1":[{"ip":1},{"ip":"b","port":2}],"c:1":3},"socks5":[]}',
  );
  t.equal(view.socks5Port, undefined);
  t.same(
    [...view.services],
    [
      ['a:1', [{ ip: 'b', port: 2 }]],
      ['c:1', []],
    ],
  );
  t.throws(() => parsePodView('127.100.1.2', '', 'no JSON'));
  t.end();
});
