import fc from 'fast-check';
import { test } from 'tap';
import type { SocketEndpoint } from '../engine/channel.ts';
import { decodeSocketAddress, familyOf, writeSocketAddress } from './socket-address.ts';

function encoded(address: SocketEndpoint): Buffer {
  const target = Buffer.alloc(64, 0xff);
  return target.subarray(0, writeSocketAddress(target, address));
}

test('layout of struct sockaddr_in and sockaddr_in6', async t => {
  for (const [sentence, ip, port, hex] of [
    ['IPv4: family, port, address', '10.1.2.3', 15001, '02003a990a0102030000000000000000'],
    [
      'IPv6: family, port, flow, address, scope',
      'fd77::2',
      80,
      '0a00005000000000fd77000000000000000000000000000200000000',
    ],
    ['the unspecified addresses', '0.0.0.0', 0, '02000000000000000000000000000000'],
    ['an IPv4-mapped address is IPv4', '::ffff:1.2.3.4', 1, '02000001010203040000000000000000'],
  ] as const) {
    t.equal(encoded({ ip, port }).toString('hex'), hex, sentence);
  }
  t.same(decodeSocketAddress(encoded({ ip: 'FD77:0::2', port: 9 })), { ip: 'fd77::2', port: 9 });
  t.equal(familyOf('::1'), 6);
  t.equal(familyOf('127.0.0.1'), 4);
});

test('what is no address is refused', async t => {
  t.throws(() => encoded({ ip: 'fe80::1%eth0', port: 1 }), {
    message: 'not an IP address: "fe80::1%eth0"',
  });
  t.throws(() => encoded({ ip: '10.0.0.1', port: 65536 }), { message: 'not a port: 65536' });
  t.throws(() => encoded({ ip: '10.0.0.1', port: 1.5 }), { message: 'not a port: 1.5' });
  t.throws(() => decodeSocketAddress(Buffer.from('0100', 'hex')), { message: /family 1/ });
});

test('any answer of the kernel decodes or is refused, whatever its length', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      try {
        const { port } = decodeSocketAddress(Buffer.from(bytes));
        return port >= 0 && port <= 65535;
      } catch (error) {
        return error instanceof Error && error.message.startsWith('not an IP socket address');
      }
    }),
  );
});
