import { test } from 'tap';
import { type ClientEnds, proxyHeader } from './proxy-header.ts';

const ends = (source: string, destination: string, sourcePort = 40_000, port = 80): ClientEnds => ({
  source: { ip: source, port: sourcePort },
  destination: { ip: destination, port },
});

const IPV6 = ends('2001:db8::1', 'fd00::10', 65_535, 443);
const MAPPED_A = '::ffff:a00:1';

const TEXTS: readonly (readonly [string, ClientEnds | undefined, string])[] = [
  ['IPv4', ends('10.0.0.1', '10.96.0.10'), 'TCP4 10.0.0.1 10.96.0.10 40000 80'],
  ['IPv6', IPV6, 'TCP6 2001:db8::1 fd00::10 65535 443'],
  [
    'the longest addresses',
    ends('1111:2222:3333:4444:5555:6666:7777:8888', '1111:2222:3333:4444:5555:6666:7777:8889'),
    'TCP6 1111:2222:3333:4444:5555:6666:7777:8888 1111:2222:3333:4444:5555:6666:7777:8889 40000 80',
  ],
  [
    'a client with IPv4 of an IPv6 service',
    ends('10.0.0.1', 'fd00::10'),
    `TCP6 ${MAPPED_A} fd00::10 40000 80`,
  ],
  ['and the other way round', ends('fd00::10', '10.0.0.1'), `TCP6 fd00::10 ${MAPPED_A} 40000 80`],
  ['a destination without address', ends('10.0.0.1', ''), 'TCP4 10.0.0.1 0.0.0.0 40000 80'],
  ['the same of IPv6', ends('fd00::1', ''), 'TCP6 fd00::1 :: 40000 80'],
  ['a source whose port nobody told', ends('10.0.0.1', '10.0.0.2', 0), 'TCP4 10.0.0.1 10.0.0.2 0 80'],
  ['a source without address', ends('', '10.0.0.2'), 'UNKNOWN'],
  ["a connection of the proxy's own", undefined, 'UNKNOWN'],
];

test('version 1, a line of text', t => {
  for (const [name, client, expected] of TEXTS) {
    const header = proxyHeader('v1', client).toString('latin1');
    t.equal(header, `PROXY ${expected}\r\n`, name);
    t.ok(header.length <= 107, `${name}: no longer than the specification says`);
  }
  t.end();
});

const SIGNATURE = '0d0a0d0a000d0a515549540a';

const BINARIES: readonly (readonly [string, ClientEnds | undefined, string])[] = [
  ['IPv4', ends('10.0.0.1', '10.96.0.10'), '21 11 000c 0a000001 0a60000a 9c40 0050'],
  ['IPv6', IPV6, '21 21 0024 20010db8000000000000000000000001 fd000000000000000000000000000010 ffff 01bb'],
  [
    'a client with IPv4 of an IPv6 service',
    ends('10.0.0.1', 'fd00::10'),
    '21 21 0024 00000000000000000000ffff0a000001 fd000000000000000000000000000010 9c40 0050',
  ],
  ['a destination without address', ends('10.0.0.1', ''), '21 11 000c 0a000001 00000000 9c40 0050'],
  ['a source without address', ends('', '10.0.0.2'), '20 00 0000'],
  ["a connection of the proxy's own", undefined, '20 00 0000'],
];

test('version 2, binary', t => {
  for (const [name, client, expected] of BINARIES)
    t.equal(proxyHeader('v2', client).toString('hex'), `${SIGNATURE}${expected.replaceAll(' ', '')}`, name);
  t.end();
});
