import { test } from 'tap';
import { kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateDestinationRule } from './destination-rule.ts';
import { refusesConnections, wantedTls } from './wanted-tls.ts';

const OPTIONS = { services: servicesOf({ 'shop/payments': [80] }), clusterDomain: 'cluster.local' };
const WHY = 'DestinationRule shop/it rejected: …';

/** A rule with a field that there is not. */
function never(spec: object): ReturnType<typeof kubeObject> {
  return kubeObject('DestinationRule', { host: 'payments', mispelt: true, ...spec });
}

const tls = (mode: unknown): object => ({ tls: { mode } });
const unresolved = { mode: 'simple', trustedRoots: { kind: 'unresolved', reason: WHY } };

const rows: { name: string; spec: object; whole?: object | undefined; ports?: object; refuses: boolean }[] = [
  { name: 'SIMPLE', spec: { trafficPolicy: tls('SIMPLE') }, whole: unresolved, refuses: true },
  {
    name: 'MUTUAL without its certificate',
    spec: { trafficPolicy: tls('MUTUAL') },
    whole: { ...unresolved, clientCertificate: undefined },
    refuses: true,
  },
  {
    name: 'whatever else it says of TLS is not believed',
    spec: { trafficPolicy: { tls: { mode: 'SIMPLE', insecureSkipVerify: true, subjectAltNames: ['any'] } } },
    whole: { ...unresolved, skipVerification: false, subjectAltNames: [] },
    refuses: true,
  },
  {
    name: 'ISTIO_MUTUAL: that of the mesh, which knows whom to trust',
    spec: { trafficPolicy: tls('ISTIO_MUTUAL') },
    whole: { mode: 'mesh', trustedRoots: { kind: 'system' }, subjectAltNames: [] },
    refuses: false,
  },
  {
    name: 'TLS of one port: of the others nothing',
    spec: {
      trafficPolicy: {
        connectionPool: { tcp: { maxConnections: 'many' } },
        portLevelSettings: [
          { port: { number: 443 }, ...tls('SIMPLE') },
          { port: { number: 80 }, ...tls('DISABLE') },
        ],
      },
    },
    whole: undefined,
    ports: [
      { port: 443, parts: { tls: unresolved } },
      { port: 80, parts: { tls: { mode: 'disable' } } },
    ],
    refuses: true,
  },
  {
    name: 'a port that is there twice, with and without TLS, gets no plaintext',
    spec: {
      trafficPolicy: {
        portLevelSettings: [{ port: { number: 443 } }, { port: { number: 443 }, ...tls('SIMPLE') }],
      },
    },
    whole: undefined,
    ports: [
      { port: 443, parts: { tls: unresolved } },
      { port: 443, parts: { tls: undefined } },
    ],
    refuses: true,
  },
];

for (const { name, ports = [], refuses, spec, whole } of rows) {
  test(`a rule that was never good and asks for TLS: ${name}`, t => {
    const object = never(spec);
    t.notOk(translateDestinationRule(object, OPTIONS).ok);
    const wanted = wantedTls(object, OPTIONS, WHY);
    t.match(wanted, { services: ['shop/payments.shop.svc.cluster.local'], subsets: [] });
    t.match(wanted?.trafficPolicy, { tls: whole, pool: undefined, ports });
    t.equal(wanted?.trafficPolicy !== undefined && refusesConnections(wanted.trafficPolicy), refuses);
    t.end();
  });
}

const EXPORTED: readonly [string, object, readonly string[]][] = [
  ['to whom the mesh says, where it says nothing', {}, ['shop']],
  ['to whom it says itself', { exportTo: ['bank'] }, ['bank']],
  ['to all, where it says so', { exportTo: ['*'] }, []],
  ['to all, where whom it says is no list', { exportTo: '.' }, []],
  ['to all, where the list is wrong', { exportTo: ['~', 'bank'] }, []],
];

for (const [name, spec, exportTo] of EXPORTED) {
  test(`a rule that was never good and asks for TLS is exported ${name}`, t => {
    const object = never({ trafficPolicy: tls('SIMPLE'), ...spec });
    t.same(wantedTls(object, { ...OPTIONS, exportDefault: () => '.' }, WHY)?.exportTo, exportTo);
    t.end();
  });
}

const NOT_ASKED: readonly [string, object][] = [
  ['no traffic policy', {}],
  ['one that is no object', { trafficPolicy: 'tls' }],
  ['DISABLE', { trafficPolicy: tls('DISABLE') }],
  ['no mode', { trafficPolicy: tls(undefined) }],
  ['a mode that is none', { trafficPolicy: tls('simple') }],
  ['a subset alone, which is not there', { subsets: [{ name: 'a', trafficPolicy: tls('SIMPLE') }] }],
];

for (const [name, spec] of NOT_ASKED) {
  test(`a rule that was never good and asks for no TLS that can be read: ${name}`, t => {
    t.equal(wantedTls(never(spec), OPTIONS, WHY), undefined);
    t.end();
  });
}
