import { test } from 'tap';
import { type AskedHost, askedHost } from './asked-host.ts';

const VENDOR = 'default/*.vendor.test';
const covers = (host: string): boolean => host.endsWith('.vendor.test');
const no = (failure: 'no_route' | 'no_endpoint', reason: RegExp): object => ({ ok: false, failure, reason });

const BY_NAME: readonly [string, string, string, AskedHost | object][] = [
  ['the name of a request', 'a.vendor.test', '', { ok: true, host: 'a.vendor.test' }],
  ['without port, case and final dot', 'A.Vendor.test.:8080', '', { ok: true, host: 'a.vendor.test' }],
  ['of several labels', 'a.b.vendor.test', '', { ok: true, host: 'a.b.vendor.test' }],
  ['a name elsewhere', 'a.other.test', '', no('no_route', /a.other.test is no host of default/)],
  ['the domain itself', 'vendor.test', '', no('no_route', /vendor.test is no host/)],
  ['what is no name', 'a b.vendor.test', '', no('no_route', /is no host/)],
  ['an empty label', 'a..vendor.test', '', no('no_route', /is no host/)],
  ['a name that is too long', `${'a.'.repeat(130)}vendor.test`, '', no('no_route', /is no host/)],
  ['an address', '192.0.2.1:80', '', no('no_route', /nobody is named/)],
  ['an address of IPv6', '[2001:db8::1]:80', '', no('no_route', /nobody is named/)],
  ['no name', '', '', no('no_route', /nobody is named/)],
  ['no name, of a client that dialled an address', '', '240.240.0.1', no('no_route', /nobody is named/)],
  ['no name, of a client that dialled one', '', 'b.vendor.test', { ok: true, host: 'b.vendor.test' }],
  ['a name, of a client that dialled another', 'a.vendor.test', 'b.vendor.test', { host: 'a.vendor.test' }],
];

test('whose endpoints a request for a wildcard is for', async t => {
  const target = { name: VENDOR, endpointsBy: 'host', covers } as const;
  for (const [sentence, named, dialled, expected] of BY_NAME)
    t.match(askedHost(target, { dialled, service: target }, named), expected, sentence);
});

const BY_ADDRESS: readonly [string, string, string, object][] = [
  [
    'the address the client dialled, whoever is named',
    '203.0.113.7',
    VENDOR,
    { ok: true, host: '203.0.113.7' },
  ],
  ['of IPv6 in one form', '2001:DB8:0::7', VENDOR, { ok: true, host: '2001:db8::7' }],
  ['a name that was dialled', 'a.vendor.test', VENDOR, no('no_endpoint', /by address only/)],
  ['nothing that is known', '', VENDOR, no('no_endpoint', /by address only/)],
  ['an address of another service', '203.0.113.7', 'default/other', no('no_endpoint', /by address only/)],
];

test('whose endpoints a request to what is passed through is for', async t => {
  const target = { name: VENDOR, endpointsBy: 'address', covers } as const;
  for (const [sentence, dialled, name, expected] of BY_ADDRESS)
    t.match(askedHost(target, { dialled, service: { name } }, 'a.vendor.test'), expected, sentence);
});
