import { test } from 'tap';
import { reachableAlone } from './reachable-alone.ts';

const OWN = ['10.0.0.5', 'fd00::5'];
const ON_LOOPBACK = ['127.100.1.1'];

/** [sentence, address, addresses of the waypoint, may be dialled] */
const ADDRESSES: readonly [string, string, readonly string[], boolean][] = [
  ['an address elsewhere', '203.0.113.7', OWN, true],
  ['of IPv6', '2001:db8::7', OWN, true],
  ['a private one: whoever owns the name may mean it', '10.1.2.3', OWN, true],
  ['the waypoint’s own', '10.0.0.5', OWN, false],
  ['of IPv6 too', 'fd00::5', OWN, false],
  ['loopback', '127.0.0.1', OWN, false],
  ['any loopback', '127.9.9.9', OWN, false],
  ['loopback of IPv6', '::1', OWN, false],
  ['none', '0.0.0.0', OWN, false],
  ['none of IPv6', '::', OWN, false],
  ['link-local, where clouds give out credentials', '169.254.169.254', OWN, false],
  ['link-local of IPv6', 'fe80::1', OWN, false],
  ['of many', '224.0.0.1', OWN, false],
  ['of many, IPv6', 'ff02::1', OWN, false],
  ['one that the mesh gave to a ServiceEntry', '240.240.1.2', OWN, false],
  ['of IPv6 as well', '2001:2::12', OWN, false],
  ['loopback, of a mesh on loopback', '127.100.2.1', ON_LOOPBACK, true],
  ['localhost, of a mesh on loopback', '127.0.0.1', ON_LOOPBACK, false],
  ['its own, of a mesh on loopback', '127.100.1.1', ON_LOOPBACK, false],
];

test('a name that a client chooses does not lead a waypoint to itself or its node', async t => {
  for (const [sentence, ip, own, isReachable] of ADDRESSES) {
    const found = reachableAlone(() => Promise.resolve({ ips: [ip], ttlMs: 1 }), own)('a.test');
    if (isReachable) t.same(await found, { ips: [ip], ttlMs: 1 }, sentence);
    else await t.rejects(found, /a.test has no address that may be dialled from here/, sentence);
  }
});

test('of several addresses those that may be dialled are left', async t => {
  const lookup = reachableAlone(() => Promise.resolve({ ips: ['127.0.0.1', '203.0.113.7'], ttlMs: 1 }), OWN);
  t.same(await lookup('a.test'), { ips: ['203.0.113.7'], ttlMs: 1 });
  const nothing = reachableAlone(() => Promise.resolve({ ips: [], ttlMs: undefined }), OWN);
  t.same(await nothing('a.test'), { ips: [], ttlMs: undefined });
});
