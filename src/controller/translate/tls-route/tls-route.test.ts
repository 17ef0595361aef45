import { test } from 'tap';
import { sortStreams } from '../gateway-route/stream-rule.ts';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateTlsRoute } from './tls-route.ts';

const SERVICES = servicesOf({ 'shop/web': [443] });
const PARENT = { group: '', kind: 'Service', name: 'web' };
const route = (...hostnames: readonly string[]): object => ({
  parentRefs: [PARENT],
  hostnames,
  rules: [{ backendRefs: [{ name: 'web', port: 443 }] }],
});

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateTlsRoute(object, SERVICES)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

test('the most specific server name goes first, whatever route it is of', async t => {
  const streams = [
    ['*.example.com', 'a.example.com'],
    ['*.b.example.com', 'example.com'],
  ].flatMap((names, i) => {
    const object = kubeObject('TLSRoute', route(...names), {
      name: `r${i}`,
      creationTimestamp: `2026-01-0${i + 1}`,
    });
    const result = translateTlsRoute(object, SERVICES);
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    return result.value.attachments[0]?.streams ?? [];
  });
  const order = ['a.example.com', 'example.com', '*.b.example.com', '*.example.com'];
  t.same(
    sortStreams(streams).map(({ matches }) => matches[0]?.serverNames[0]),
    order,
  );
  t.same(
    sortStreams(streams.toReversed()).map(({ matches }) => matches[0]?.serverNames[0]),
    order,
  );
});

const REJECTED: readonly [string, object, RegExp][] = [
  ['no host name', route(), /is required/],
  ['an address', route('10.0.0.1'), /an address is never in an SNI/],
  ['an asterisk inside', route('a.*.com'), /no host name/],
  ['a lone asterisk', route('*'), /no host name/],
];

test('a wrong TLSRoute is rejected with the field that is wrong', async t => {
  for (const [name, spec, message] of REJECTED) {
    const result = translateTlsRoute(kubeObject('TLSRoute', spec), SERVICES);
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { field: 'spec.hostnames', message, fix: /./ }, name);
  }
});
