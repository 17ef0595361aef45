import { test } from 'tap';
import { parseAuthority } from './authority.ts';
import { formatBaggage, parseBaggage } from './baggage.ts';
import { connectRequestFields, type ConnectRequestInit, parseConnectRequest } from './connect-request.ts';
import { formatForwarded, parseForwarded } from './forwarded.ts';
import { isTraceparent } from './traceparent.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const HIDDEN = { source: undefined, host: '' };

test('the authority of a CONNECT', async t => {
  const rows: [string, string, readonly [string, string, number] | undefined][] = [
    ['an IPv4 address and port', '10.0.0.1:80', ['10.0.0.1', 'ip', 80]],
    ['IPv6 in brackets, made canonical', '[2001:DB8:0::1]:443', ['2001:db8::1', 'ip', 443]],
    ['IPv4-mapped IPv6 is IPv4', '[::ffff:10.0.0.1]:80', ['10.0.0.1', 'ip', 80]],
    ['a host name, in lower case', 'Orders.Shop.svc:8080', ['orders.shop.svc', 'name', 8080]],
    ['IPv6 without brackets is refused', '2001:db8::1:80', undefined],
    ['brackets around IPv4 are refused', '[10.0.0.1]:80', undefined],
    ['a port is needed', '10.0.0.1', undefined],
    ['port 0 is refused', '10.0.0.1:0', undefined],
    ['port 65536 is refused', '10.0.0.1:65536', undefined],
    ['a signed port is refused', '10.0.0.1:+80', undefined],
    ['user information is refused', 'user@host:80', undefined],
    ['a zone is refused', '[fe80::1%eth0]:80', undefined],
    ['an octal-looking address is refused', '010.0.0.1:80', undefined],
    ['an address out of range is refused', '10.0.0.256:80', undefined],
    ['a short address is refused', '10.1:80', undefined],
    ['a hexadecimal address is refused', '0x7f000001:80', undefined],
    ['a space is refused', 'a b:80', undefined],
    ['an empty label is refused', 'a..b:80', undefined],
    ['an overlong name is refused', `${'a'.repeat(254)}:80`, undefined],
    ['nothing is refused', '', undefined],
  ];
  for (const [name, text, expected] of rows) {
    const parsed = parseAuthority(text);
    if (expected === undefined) t.type(parsed, 'string', name);
    else t.same(parsed, { host: expected[0], hostKind: expected[1], port: expected[2] }, name);
  }
});

test('baggage', async t => {
  const full = {
    clusterId: 'Kubernetes',
    namespace: 'shop',
    workloadType: 'deployment',
    workloadName: 'orders, v1',
    serviceName: 'orders',
    serviceVersion: 'v1',
    region: 'eu',
    zone: 'eu-1',
  };
  t.same(parseBaggage(formatBaggage(full)), full, 'what is written is read back');
  t.match(parseBaggage('k8s.pod.name=a , x=1;prop=2, k8s.deployment.name=b'), {
    workloadType: 'pod',
    workloadName: 'a',
    namespace: '',
  });
  t.match(parseBaggage('service.name=a,service.name=b'), { serviceName: 'a' }, 'the first counts');
  for (const bad of ['novalue', '=x', 'service.name=%zz', 'service.name=%0a', `a=${'x'.repeat(9000)}`])
    t.equal(parseBaggage(bad), undefined, `${bad.slice(0, 20)} does not parse`);
  t.equal(parseBaggage(Array(65).fill('a=b').join(',')), undefined, 'too many members');
  t.equal(parseBaggage(`service.name=${'x'.repeat(257)}`), undefined, 'an overlong value');
});

test('forwarded', async t => {
  const v4 = { source: { ip: '10.0.0.1', port: 4711 }, host: 'orders.shop' };
  const v6 = { source: { ip: '2001:db8::1', port: 4711 }, host: '' };
  t.equal(formatForwarded(v4), 'for=10.0.0.1:4711;host=orders.shop');
  t.equal(formatForwarded(v6), 'for="[2001:db8::1]:4711"');
  for (const value of [v4, v6]) t.same(parseForwarded(formatForwarded(value)), value);
  t.same(parseForwarded('For="10.0.0.1:4711"; proto=http, for=6.6.6.6:6'), { ...v4, host: '' });
  t.same(parseForwarded('for=[2001:db8::1]'), { source: { ip: '2001:db8::1', port: 0 }, host: '' });
  t.same(parseForwarded('for=_hidden;host="a:80"'), { source: undefined, host: 'a:80' });
  for (const bad of ['', 'for', 'for="open', `for=${'x'.repeat(2000)}`, 'for=a b'])
    t.equal(parseForwarded(bad), undefined, `${bad.slice(0, 20)} does not parse`);
});

test('traceparent', async t => {
  t.ok(isTraceparent(TRACE));
  t.ok(isTraceparent(TRACE.replace(/^00/, '01').concat('-extra')));
  for (const bad of [
    TRACE.toUpperCase(),
    TRACE.replace(/^00/, 'ff'),
    `${TRACE}-extra`,
    TRACE.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)),
    TRACE.replace('b7ad6b7169203331', '0'.repeat(16)),
    '',
  ])
    t.notOk(isTraceparent(bad), bad);
});

test('only what is known is sent', async t => {
  const base = [':method', 'CONNECT', ':authority', '10.0.0.1:80'];
  const empty = { clusterId: '', namespace: '', workloadType: '', workloadName: '', serviceName: '' };
  const nothing = { ...empty, serviceVersion: '', region: '', zone: '' };
  const baggage = { ...nothing, namespace: 'shop' };
  const forwarded = { source: { ip: '10.0.0.9', port: 1 }, host: '' };
  const BAGGAGE = ['baggage', 'k8s.namespace.name=shop'];
  const FORWARDED = ['forwarded', 'for=10.0.0.9:1'];
  const rows: [sentence: string, init: Partial<ConnectRequestInit>, fields: string[]][] = [
    ['nothing', {}, []],
    ['a workload without any name, an address that is hidden', { baggage: nothing, forwarded: HIDDEN }, []],
    ['the workload', { baggage }, BAGGAGE],
    ['the source', { forwarded }, FORWARDED],
    ['both', { baggage, forwarded }, [...BAGGAGE, ...FORWARDED]],
    ['a trace', { traceparent: TRACE }, ['traceparent', TRACE]],
    ['all', { baggage, forwarded, traceparent: TRACE }, [...BAGGAGE, ...FORWARDED, 'traceparent', TRACE]],
  ];
  for (const [sentence, init, fields] of rows)
    t.strictSame(
      connectRequestFields({ host: '10.0.0.1', port: 80, ...init }),
      [...base, ...fields],
      sentence,
    );
});

test('a whole request', async t => {
  const init = {
    host: '2001:db8::1',
    port: 80,
    forwarded: { source: { ip: '10.0.0.1', port: 1 }, host: '' },
    traceparent: TRACE,
  };
  const fields = connectRequestFields(init);
  t.same(fields.slice(0, 4), [':method', 'CONNECT', ':authority', '[2001:db8::1]:80']);
  t.match(parseConnectRequest(fields), { ok: true, request: init });
  const authority = [':authority', '10.0.0.1:80'];
  t.match(parseConnectRequest([':method', 'GET', ...authority]), { ok: false, reason: /CONNECT only/ });
  t.match(parseConnectRequest([':method', 'CONNECT', ':protocol', 'websocket', ...authority]), { ok: false });
  t.match(parseConnectRequest([':method', 'CONNECT', ':authority', 'nonsense']), { ok: false });
  t.match(
    parseConnectRequest([
      ':method',
      'CONNECT',
      ...authority,
      'baggage',
      '%',
      'forwarded',
      '"',
      'traceparent',
      'x',
      'other',
      'y',
    ]),
    { ok: true, request: { baggage: undefined, forwarded: undefined, traceparent: undefined } },
    'what is only information never refuses a connection',
  );
});
