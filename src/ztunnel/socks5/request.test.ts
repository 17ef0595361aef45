import { test } from 'tap';
import { parseGreeting, parseRequest, type Socks5Step } from './request.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const name = (host: string): string =>
  Buffer.concat([Buffer.of(host.length), Buffer.from(host)]).toString('hex');

test('the greeting', t => {
  const rows: [sentence: string, bytes: string, expected: Partial<Socks5Step>][] = [
    ['no authentication alone', '05 01 00', { kind: 'greeting', length: 3, methods: [0] }],
    ['several methods', '05 03 02 01 00', { kind: 'greeting', length: 5, methods: [2, 1, 0] }],
    ['nothing yet', '', { kind: 'incomplete' }],
    ['half of it', '05', { kind: 'incomplete' }],
    ['methods missing', '05 02 00', { kind: 'incomplete' }],
    ['no method at all', '05 00', { kind: 'error', reply: 0xff }],
    [
      'SOCKS4',
      '04 01 00 50',
      { kind: 'error', reply: 0xff, reason: 'protocol version 4 (SOCKS4) is not SOCKS5' },
    ],
    [
      'an HTTP request',
      '47 45 54',
      { kind: 'error', reply: 0xff, reason: 'protocol version 71 is not SOCKS5' },
    ],
  ];
  for (const [sentence, bytes, expected] of rows) t.match(parseGreeting(hex(bytes)), expected, sentence);
  t.end();
});

test('the request', t => {
  const rows: [sentence: string, bytes: string, expected: Partial<Socks5Step> | { reason: RegExp }][] = [
    ['IPv4', '05 01 00 01 0a000001 0050', { kind: 'request', length: 10, host: '10.0.0.1', port: 80 }],
    [
      'IPv6',
      `05 01 00 04 fd00${'00'.repeat(13)}01 01bb`,
      { kind: 'request', length: 22, host: 'fd00::1', port: 443 },
    ],
    ['IPv4-mapped IPv6 is IPv4', `05 01 00 04 ${'00'.repeat(10)}ffff0a000001 0050`, { host: '10.0.0.1' }],
    [
      'a name, in lower case',
      `05 01 00 03 ${name('Orders.shop')} 0050`,
      { kind: 'request', host: 'orders.shop', port: 80 },
    ],
    ['early bytes stay', '05 01 00 01 0a000001 0050 ffff', { kind: 'request', length: 10 }],
    ['nothing yet', '', { kind: 'incomplete' }],
    ['half of an address', '05 01 00 01 0a00', { kind: 'incomplete' }],
    ['half of a name', '05 01 00 03 06 6f72', { kind: 'incomplete' }],
    ['BIND', '05 02 00 01 0a000001 0050', { kind: 'error', reply: 7 }],
    ['UDP ASSOCIATE', '05 03 00 01 0a000001 0050', { kind: 'error', reply: 7 }],
    ['an unknown address type', '05 01 00 02 0a000001 0050', { kind: 'error', reply: 8 }],
    ['a reserved byte that is set', '05 01 01 01 0a000001 0050', { kind: 'error', reply: 1 }],
    ['another version', '04 01 00 01 0a000001 0050', { kind: 'error', reply: 0xff }],
    [
      'port 0',
      '05 01 00 01 0a000001 0000',
      { kind: 'error', reply: 1, reason: 'port 0 cannot be connected to' },
    ],
    ['an empty name', '05 01 00 03 00 0050', { kind: 'error', reason: 'the host name is empty' }],
    ['a name with a NUL', `05 01 00 03 03 610062 0050`, { kind: 'error', reason: /is no host name/ }],
    ['a name with a space', `05 01 00 03 ${name('a b')} 0050`, { kind: 'error', reason: /is no host name/ }],
    [
      'a name longer than DNS allows',
      `05 01 00 03 ff ${'61'.repeat(255)} 0050`,
      { kind: 'error', reason: /is no host name/ },
    ],
  ];
  for (const [sentence, bytes, expected] of rows) t.match(parseRequest(hex(bytes)), expected, sentence);
  t.end();
});
