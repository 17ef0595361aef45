import { test } from 'tap';
import { cidrContains, formatCidr, makeCidr, parseCidr } from './cidr.ts';
import {
  canonicalIp,
  formatHostPort,
  ipFromBytes,
  ipv4At,
  leadsToSelf,
  parseHostPort,
  parseIp,
} from './ip.ts';

test('an address has one canonical text', t => {
  const rows: [sentence: string, text: string, canonical: string | undefined][] = [
    ['IPv4 stays as it is', '10.0.0.1', '10.0.0.1'],
    ['the highest IPv4', '255.255.255.255', '255.255.255.255'],
    ['IPv6 is lower case without leading zeros', '2001:0DB8:0:0:0:0:0:0001', '2001:db8::1'],
    ['the longest run of zeros is compressed', '1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['the first of two equal runs is compressed', '1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
    ['one zero group is not compressed', '1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['all zeros', '0:0:0:0:0:0:0:0', '::'],
    ['zeros at the end', 'fd00:1:0:0:0:0:0:0', 'fd00:1::'],
    ['an IPv4-mapped address is the IPv4 address', '::ffff:10.0.0.1', '10.0.0.1'],
    ['also when written in hexadecimal', '::FFFF:a00:1', '10.0.0.1'],
    ['a NAT64 address with a dotted end stays IPv6', '64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['a leading zero is ambiguous (octal?)', '10.0.0.01', undefined],
    ['an octet over 255', '10.0.0.256', undefined],
    ['three octets', '10.0.1', undefined],
    ['five octets', '1.2.3.4.5', undefined],
    ['a trailing dot', '10.0.0.1.', undefined],
    ['an empty octet', '10..0.1', undefined],
    ['nothing', '', undefined],
    ['a host name', 'orders', undefined],
    ['two gaps', '1::2::3', undefined],
    ['a gap that stands for nothing', '1:2:3:4:5:6:7::8', undefined],
    ['seven groups', '1:2:3:4:5:6:7', undefined],
    ['nine groups', '1:2:3:4:5:6:7:8:9', undefined],
    ['a group of five digits', '12345::', undefined],
    ['one colon at the start', ':1::2', undefined],
    ['one colon at the end', '1:2:3:4:5:6:7:', undefined],
    ['three colons', ':::', undefined],
    ['a zone', 'fe80::1%eth0', undefined],
    ['dotted decimal in the middle', '1:10.0.0.1::', undefined],
    ['far too long', '0'.repeat(1000), undefined],
  ];
  for (const [sentence, text, canonical] of rows) t.equal(canonicalIp(text), canonical, sentence);
  t.end();
});

test('bytes become text', t => {
  t.equal(ipFromBytes(Uint8Array.of(10, 0, 0, 1)), '10.0.0.1', '4 bytes are IPv4');
  t.equal(ipFromBytes(new Uint8Array(16)), '::', '16 bytes are IPv6');
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1);
  t.equal(ipFromBytes(mapped), '10.0.0.1', '16 mapped bytes are IPv4');
  t.equal(ipFromBytes(new Uint8Array(5)), undefined, 'any other length is no address');
  t.end();
});

test('more IPv4 addresses than are remembered keep their own text', t => {
  const octets = Array.from({ length: 3_000 }, (_, i) => [i & 0xff, i >> 8, 255 - (i & 0xff), i % 7]);
  const texts = octets.map(address => ipFromBytes(Uint8Array.from(address)));
  t.strictSame(
    texts,
    octets.map(address => address.join('.')),
  );
  t.equal(
    ipv4At(Uint8Array.of(9, 255, 254, 253, 252, 9), 1),
    '255.254.253.252',
    'also in the middle of others',
  );
  t.end();
});

test('host and port', t => {
  const rows: [sentence: string, text: string, parsed: [string, number] | undefined][] = [
    ['IPv4', '10.0.0.1:80', ['10.0.0.1', 80]],
    ['IPv6 in brackets', '[fd00::1]:443', ['fd00::1', 443]],
    ['a host name', 'orders.shop:65535', ['orders.shop', 65535]],
    ['no port', '10.0.0.1', undefined],
    ['an empty host', ':80', undefined],
    ['IPv6 without brackets is ambiguous', 'fd00::1:80', undefined],
    ['brackets around what is not IPv6', '[orders]:80', undefined],
    ['an open bracket', '[fd00::1:80', undefined],
    ['port 0', '10.0.0.1:0', undefined],
    ['a port over 65535', '10.0.0.1:65536', undefined],
    ['a leading zero', '10.0.0.1:080', undefined],
    ['a sign', '10.0.0.1:+80', undefined],
    ['an empty port', '10.0.0.1:', undefined],
  ];
  for (const [sentence, text, parsed] of rows) {
    t.strictSame(parseHostPort(text), parsed && { host: parsed[0], port: parsed[1] }, sentence);
    if (parsed !== undefined) t.equal(formatHostPort(...parsed), text, `${sentence}, and back`);
  }
  t.end();
});

test('a range holds exactly its addresses', t => {
  const rows: [sentence: string, cidr: string, ip: string, holds: boolean][] = [
    ['an address inside', '10.1.0.0/16', '10.1.255.255', true],
    ['an address outside', '10.1.0.0/16', '10.2.0.0', false],
    ['a length that is no multiple of 8, inside', '10.0.0.0/9', '10.127.0.1', true],
    ['a length that is no multiple of 8, outside', '10.0.0.0/9', '10.128.0.1', false],
    ['a single address holds itself', '10.0.0.1', '10.0.0.1', true],
    ['a single address holds nothing else', '10.0.0.1', '10.0.0.2', false],
    ['/0 holds its whole family', '0.0.0.0/0', '203.0.113.9', true],
    ['/0 of IPv4 holds no IPv6', '0.0.0.0/0', 'fd00::1', false],
    ['IPv6', 'fd00::/8', 'fdff::1', true],
    ['host bits of the range are dropped', '10.1.2.3/16', '10.1.9.9', true],
    ['a mapped range is an IPv4 range', '::ffff:10.0.0.0/104', '10.9.9.9', true],
  ];
  for (const [sentence, text, ip, holds] of rows) {
    const cidr = parseCidr(text);
    const address = parseIp(ip);
    if (cidr === undefined || address === undefined) t.fail(`${sentence}: does not parse`);
    else t.equal(cidrContains(cidr, address), holds, sentence);
  }
  t.end();
});

test('what is another thing to each who dials it', t => {
  const rows: readonly (readonly [ip: string, own: string, leadsToSelf: boolean])[] = [
    ['127.0.0.1', '10.0.0.1', true],
    ['127.9.9.9', '10.0.0.1', true],
    ['::1', 'fd00::1', true],
    ['0.0.0.0', '10.0.0.1', true],
    ['0.1.2.3', '10.0.0.1', true],
    ['::', 'fd00::1', true],
    ['10.0.0.1', '10.0.0.1', false],
    ['::2', 'fd00::1', false],
    ['127.9.9.9', '127.64.0.1', false],
  ];
  for (const [ip, own, expected] of rows) t.equal(leadsToSelf(ip, [own]), expected, `${ip} from ${own}`);
  t.end();
});

test('what is no range does not parse', t => {
  for (const text of [
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    'x/8',
    '/8',
    '',
  ]) {
    t.equal(parseCidr(text), undefined, `'${text}'`);
  }
  t.equal(makeCidr('10.0.0.0', 1.5), undefined, 'half a bit');
  const host = parseCidr('10.9.9.9/8');
  t.equal(host && formatCidr(host), '10.0.0.0/8', 'canonical text has no host bits');
  t.end();
});
