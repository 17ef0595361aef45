import { test } from 'tap';
import { parseIp } from '../workload/ip.ts';
import { NO_CALLER } from './compiled-match.ts';
import { compileStreamRules, type RoutedStream } from './match-stream.ts';
import type { StreamMatch, StreamRule } from './stream-rule.ts';

const ANY: StreamMatch = { serverNames: [], destinationIps: [], sourceIps: [], source: undefined };

function rule(over: Partial<StreamRule>): StreamRule {
  const nothing = { ports: [], consumer: undefined, callers: [], matches: [], backends: [] };
  return { name: 'r', protocol: 'tcp', idleTimeoutMs: undefined, ...nothing, ...over };
}

const TLS: RoutedStream = {
  protocol: 'tls',
  serverName: 'api.example.com',
  destinationIp: parseIp('10.1.2.3'),
  sourceIp: parseIp('10.9.0.7'),
};
const TCP: RoutedStream = { ...TLS, protocol: 'tcp', serverName: '' };
const caller = (namespace: string, workload?: string) => ({ namespace, workload });

const MATCHES: readonly [string, Partial<StreamRule>, RoutedStream, boolean][] = [
  ['a rule without matches takes every connection', {}, TCP, true],
  ['a rule for another port does not', { ports: [81] }, TCP, false],
  ['a TLS rule takes no other connection', { protocol: 'tls' }, TCP, false],
  ['a TCP rule takes TLS connections too', {}, TLS, true],
  [
    'a server name matches',
    { protocol: 'tls', matches: [{ ...ANY, serverNames: ['API.example.com'] }] },
    TLS,
    true,
  ],
  ['by its suffix', { protocol: 'tls', matches: [{ ...ANY, serverNames: ['*.example.com'] }] }, TLS, true],
  ['another does not', { protocol: 'tls', matches: [{ ...ANY, serverNames: ['example.com'] }] }, TLS, false],
  [
    'an address matches',
    { matches: [{ ...ANY, destinationIps: [{ ip: '10.1.0.0', prefixLength: 16 }] }] },
    TCP,
    true,
  ],
  [
    'another does not',
    { matches: [{ ...ANY, destinationIps: [{ ip: '10.2.0.0', prefixLength: 16 }] }] },
    TCP,
    false,
  ],
  [
    'an address that is not known does not',
    { matches: [{ ...ANY, destinationIps: [{ ip: '10.1.0.0', prefixLength: 16 }] }] },
    { ...TCP, destinationIp: undefined },
    false,
  ],
  [
    'the address of the client matches',
    { matches: [{ ...ANY, sourceIps: [{ ip: '10.9.0.0', prefixLength: 24 }] }] },
    TCP,
    true,
  ],
  [
    'of TLS too',
    { protocol: 'tls', matches: [{ ...ANY, sourceIps: [{ ip: '10.9.0.7', prefixLength: 32 }] }] },
    TLS,
    true,
  ],
  [
    'another client does not',
    { matches: [{ ...ANY, sourceIps: [{ ip: '10.1.0.0', prefixLength: 16 }] }] },
    TCP,
    false,
  ],
  [
    'a client of IPv6 is in no range of IPv4',
    { matches: [{ ...ANY, sourceIps: [{ ip: '0.0.0.0', prefixLength: 0 }] }] },
    { ...TCP, sourceIp: parseIp('fd00::7') },
    false,
  ],
  [
    'a client that is not known does not',
    { matches: [{ ...ANY, sourceIps: [{ ip: '0.0.0.0', prefixLength: 0 }] }] },
    { ...TCP, sourceIp: undefined },
    false,
  ],
  [
    'both addresses must match',
    {
      matches: [
        {
          ...ANY,
          destinationIps: [{ ip: '10.2.0.0', prefixLength: 16 }],
          sourceIps: [{ ip: '10.9.0.0', prefixLength: 16 }],
        },
      ],
    },
    TCP,
    false,
  ],
  [
    'any of several matches is enough',
    { matches: [{ ...ANY, source: { namespaces: ['shop'], workloads: undefined } }, ANY] },
    TCP,
    true,
  ],
  [
    'a source without an identity is in no namespace',
    { matches: [{ ...ANY, source: { namespaces: ['shop'], workloads: undefined } }] },
    TCP,
    false,
  ],
];

test('each field of a stream rule', async t => {
  for (const [name, over, stream, expected] of MATCHES)
    t.equal(compileStreamRules([rule(over)]).find(stream, 80, NO_CALLER) !== undefined, expected, name);
});

test('TLS rules go before TCP rules', async t => {
  const matcher = compileStreamRules([rule({ name: 'tcp' }), rule({ name: 'tls', protocol: 'tls' })]);
  t.equal(matcher.find(TLS, 80, NO_CALLER)?.name, 'tls');
  t.equal(matcher.find(TCP, 80, NO_CALLER)?.name, 'tcp');
  t.equal(matcher.needsServerName(80), true);
});

test('rules for callers', async t => {
  const matcher = compileStreamRules([
    rule({ name: 'some', callers: ['bank'] }),
    rule({ name: 'everyone' }),
    rule({ name: 'own', consumer: 'shop', ports: [80] }),
  ]);
  const to = (namespace: string, port = 80) => matcher.find(TCP, port, caller(namespace))?.name;
  t.equal(to('bank'), 'some');
  t.equal(to('shop'), 'own', 'a consumer sees its own rules alone');
  t.equal(to('shop', 81), 'everyone', 'on the ports they are for');
  t.equal(to('other'), 'everyone');
  const alone = compileStreamRules([rule({ consumer: 'shop', ports: [80] })]);
  t.equal(alone.hasRulesFor(80, caller('shop')), true);
  t.equal(alone.hasRulesFor(80, caller('bank')), false);
  t.equal(alone.hasRulesFor(81, caller('shop')), false);
});
