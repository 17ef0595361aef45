import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { readExternalWorkload } from './external-workload.ts';

const CLUSTER = { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: '' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => readExternalWorkload(object, CLUSTER)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const TLS = { identity: 'spiffe://td/ns/shop/sa/legacy', serverName: 'a' };
const identity = (text: string): object => ({ meshTLS: { ...TLS, identity: text } });

const REJECTED: readonly [sentence: string, spec: object, field: string, message: RegExp][] = [
  ['no meshTLS', { workloadIPs: [{ ip: '192.0.2.7' }] }, 'spec.meshTLS', /is required/],
  ['no identity', { meshTLS: { serverName: 'a' } }, 'spec.meshTLS.identity', /is required/],
  [
    'an identity of another kind',
    identity('spiffe://td/proxy-harness'),
    'spec.meshTLS.identity',
    /no identity of a service account/,
  ],
  ['a name of DNS', identity('vm.example.com'), 'spec.meshTLS.identity', /no identity of a service account/],
  ['any identity', identity('*'), 'spec.meshTLS.identity', /no identity of a service account/],
  [
    'an identity of another namespace',
    identity('spiffe://td/ns/bank/sa/ledger'),
    'spec.meshTLS.identity',
    /is of namespace bank, and the machine of shop/,
  ],
  [
    'an identity of another mesh',
    identity('legacy.shop.serviceaccount.identity.linkerd.cluster.local'),
    'spec.meshTLS.identity',
    /is of trust domain cluster.local, and this mesh is td/,
  ],
  [
    'an address that is none',
    { meshTLS: TLS, workloadIPs: [{ ip: 'vm.example.com' }] },
    'spec.workloadIPs[0].ip',
    /is no IP address/,
  ],
  ['a port that is none', { meshTLS: TLS, ports: [{ port: 0 }] }, 'spec.ports[0].port', /whole number/],
  ['a port without number', { meshTLS: TLS, ports: [{ name: 'a' }] }, 'spec.ports[0].port', /is required/],
  ['a misspelt field', { meshTLS: TLS, workloadIps: [] }, 'spec.workloadIps', /no field of this object/],
];

test('a wrong ExternalWorkload is rejected with the field that is wrong', async t => {
  for (const [sentence, spec, field, message] of REJECTED) {
    const result = readExternalWorkload(kubeObject('ExternalWorkload', spec), CLUSTER);
    t.equal(result.ok, false, sentence);
    const rejected = result.diagnostics.filter(one => one.severity === 'rejected');
    t.match(
      rejected.find(one => one.field === field),
      { field, message, fix: /./ },
      sentence,
    );
  }
});
