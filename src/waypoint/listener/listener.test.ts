import { test } from 'tap';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { mesh, service, waypointAt, waypointOf, workload } from '#shared/testing/topology.ts';
import type { Visibility } from '#shared/workload/visibility.ts';
import { workloadService } from '#shared/workload/workload-service.ts';
import type { AppProtocol, Service } from '#shared/workload/workload.ts';
import { findDestination, type WaypointIdentity } from './destination.ts';
import { PeekedChannel } from './peeked-channel.ts';
import { detectionMode, type DownstreamProtocol, sniffProtocol } from './sniff-protocol.ts';

const SNIFFED: readonly (readonly [
  sentence: string,
  bytes: string,
  any: DownstreamProtocol | undefined,
  http: DownstreamProtocol | undefined,
])[] = [
  ['nothing yet', '', undefined, undefined],
  ['a method and a blank', 'GET /', 'http1', 'http1'],
  ['the beginning of a method', 'PO', undefined, 'http1'],
  ['P may be POST, PUT, PATCH or the preface', 'P', undefined, undefined],
  ['the beginning of the preface', 'PRI * HT', undefined, undefined],
  ['the whole preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2', 'http2'],
  ['PRI that is no preface', 'PRI * HTTP/1.1\r\n', 'tcp', 'http1'],
  ['a method in small letters', 'get /', 'tcp', 'http1'],
  ['a longer word that begins like a method', 'GETTING', 'tcp', 'http1'],
  ['a TLS hello', '\x16\x03\x01', 'tcp', 'http1'],
  ['a redis command', '*1\r\n$4\r\nPING\r\n', 'tcp', 'http1'],
];

test('the first bytes tell the protocol', t => {
  for (const [sentence, bytes, any, http] of SNIFFED) {
    t.equal(sniffProtocol(Buffer.from(bytes, 'latin1'), 'any'), any, `${sentence}, nothing declared`);
    t.equal(sniffProtocol(Buffer.from(bytes, 'latin1'), 'http'), http, `${sentence}, HTTP declared`);
  }
  t.end();
});

test('a declared protocol decides what is looked at', t => {
  const rows: readonly (readonly [AppProtocol, string])[] = [
    ['tcp', 'tcp'],
    ['tls', 'tcp'],
    ['http11', 'http'],
    ['http2', 'http'],
    ['grpc', 'http'],
    ['unknown', 'any'],
  ];
  for (const [declared, mode] of rows) t.equal(detectionMode(declared, false), mode);
  t.equal(detectionMode('tls', true), 'any', 'where the waypoint is to encrypt what its clients do not');
  t.equal(detectionMode('tcp', true), 'tcp');
  t.end();
});

const US: WaypointIdentity = {
  namespace: 'default',
  hostname: 'waypoint.default.svc.cluster.local',
  network: '',
  ips: ['10.0.0.9'],
};
const GATEWAY = service('waypoint', { vip: '10.96.0.1' });

test('the destination of a CONNECT', t => {
  const ours = { waypoint: waypointOf(GATEWAY) };
  const rows: readonly (readonly [
    string,
    Parameters<typeof service>[1],
    string,
    number,
    RegExp | undefined,
  ])[] = [
    ['by VIP', { ...ours, vip: '10.96.0.2' }, '10.96.0.2', 80, undefined],
    ['by host name', ours, 'a.default.svc.cluster.local', 80, undefined],
    [
      'that names us by the address of our Service',
      { waypoint: waypointAt('10.96.0.1') },
      'a.default.svc.cluster.local',
      80,
      undefined,
    ],
    [
      'that names us by our own address',
      { waypoint: waypointAt('10.0.0.9') },
      'a.default.svc.cluster.local',
      80,
      undefined,
    ],
    [
      'that names us with a weight',
      { weightedWaypoints: [{ destination: waypointOf(GATEWAY), weight: 10 }] },
      'a.default.svc.cluster.local',
      80,
      undefined,
    ],
    ['of a port the service does not have', ours, 'a.default.svc.cluster.local', 81, /has no port 81/],
    ['of a service without waypoint', {}, 'a.default.svc.cluster.local', 80, /does not use this waypoint/],
    [
      'of a service of another waypoint',
      { waypoint: waypointAt('10.96.0.99') },
      'a.default.svc.cluster.local',
      80,
      /does not use this waypoint/,
    ],
    ['of a service nobody knows', ours, 'b.default.svc.cluster.local', 80, /is no service/],
    ['of an address nobody knows', ours, '10.1.2.3', 80, /is no service/],
  ];
  for (const [sentence, fields, host, port, refused] of rows) {
    const view = mesh({ services: [GATEWAY, service('a', fields)] });
    const hostKind = /^[\d.]+$/.test(host) ? 'ip' : 'name';
    const found = findDestination(view, { host, hostKind, port }, US, 'default');
    if (refused === undefined) t.equal(found.ok && found.service.name, 'a', sentence);
    else t.match(found.ok ? '' : found.reason, refused, sentence);
  }
  t.end();
});

test('a pod whose own address this waypoint takes is meant by it, whoever else has written it down', t => {
  const pod = workload('db', { namespace: 'shop', addresses: ['10.0.0.1'], waypoint: waypointOf(GATEWAY) });
  const own = workloadService(pod);
  for (const [sentence, address] of [
    ['as it stands', { network: '', ip: '10.0.0.1', prefixLength: undefined }],
    ['in a range', { network: '', ip: '10.0.0.0', prefixLength: 8 }],
  ] as const) {
    const entry = service('evil', {
      namespace: 'evil',
      hostname: 'evil.test',
      canonical: false,
      addresses: [address],
    });
    const view = mesh({ services: [GATEWAY, entry, own], workloads: [pod] });
    const asked = { host: '10.0.0.1', hostKind: 'ip', port: 5432 } as const;
    t.match(findDestination(view, asked, US, 'web'), { ok: true, service: { name: 'db' } }, sentence);
  }
  t.end();
});

test('of several services of one host and address the client means the one it knows', t => {
  const uses = { waypoint: waypointOf(GATEWAY), hostname: 'api.test', vip: '192.0.2.1' };
  const scoped = (namespace: string, visibility: Visibility, fields: typeof uses | object = uses) =>
    service('api', { ...uses, ...fields, namespace, visibility });
  const others = { waypoint: waypointAt('10.96.0.99') };
  const rows: readonly (readonly [string, readonly Service[], string, string])[] = [
    ['which is its own', [scoped('bank', 'namespace'), scoped('shop', 'namespace')], 'shop', 'shop'],
    ['and of others theirs', [scoped('bank', 'namespace'), scoped('shop', 'namespace')], 'bank', 'bank'],
    [
      'or one that it is exported to',
      [scoped('bank', 'namespace'), scoped('shop', ['books'])],
      'books',
      'shop',
    ],
    [
      'behind one of another waypoint',
      [scoped('bank', 'namespace', others), scoped('shop', 'namespace')],
      'shop',
      'shop',
    ],
    [
      'of a client that knows none any',
      [scoped('bank', 'namespace'), scoped('shop', 'namespace')],
      'x',
      'bank',
    ],
  ];
  for (const [sentence, services, client, expected] of rows) {
    const view = mesh({ services: [GATEWAY, ...services] });
    for (const [host, hostKind] of [
      ['192.0.2.1', 'ip'],
      ['api.test', 'name'],
    ] as const) {
      const found = findDestination(view, { host, hostKind, port: 80 }, US, client);
      t.equal(found.ok && found.service.namespace, expected, `${sentence}, by ${hostKind}`);
    }
  }
  t.end();
});

test('what was peeked at comes first to the handler set later, with everything after it', async t => {
  for (const ends of [false, true]) {
    const pair = memoryChannelPair();
    const looks: string[] = [];
    const peeked = new PeekedChannel(pair.right, (first, ended) =>
      looks.push(`${first.toString()}${ended ? '.' : ''}`),
    );
    peeked.start();
    pair.left.write(Buffer.from('a'));
    pair.flush();
    pair.left.write(Buffer.from('b'));
    if (ends) pair.left.end();
    pair.flush();
    t.same(looks, ends ? ['a', 'ab', 'ab.'] : ['a', 'ab']);
    const events: string[] = [];
    peeked.setHandler({
      onData: slice => events.push(slice.toString()),
      onEnd: () => events.push('end'),
      onDrain: () => {},
      onClose: error => events.push(`close ${error?.code}`),
    });
    t.same(events, [], 'not inside the call');
    await Promise.resolve();
    if (!ends) pair.left.write(Buffer.from('c'));
    pair.flush();
    t.same(events, ends ? ['ab', 'end'] : ['ab', 'c']);
  }
});
