import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { effectiveMtls, mtlsPolicy } from './effective-mtls.ts';
import { translatePeerAuthentication, type PeerAuthentication } from './peer-authentication.ts';

const ROOT = 'istio-system';

test('translations by example', async t => {
  const workloads = [
    { namespace: 'shop', labels: { app: 'orders' } },
    { namespace: 'shop', labels: { app: 'payments' } },
    { namespace: 'old', labels: {} },
  ];
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects => {
    const results = objects.map(translatePeerAuthentication);
    const all = results.flatMap(result => (result.ok ? [result.value] : []));
    const policies = workloads.map(workload => ({
      workload,
      policy: mtlsPolicy(effectiveMtls(workload, all, ROOT), ROOT) ?? 'none',
    }));
    return { results, policies };
  });
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

function parse(spec: object, over: Partial<PeerAuthentication> = {}): PeerAuthentication {
  const { name = 'default', namespace = 'shop', creationTimestamp = '' } = over;
  const result = translatePeerAuthentication(
    kubeObject('PeerAuthentication', spec, { name, namespace, creationTimestamp }),
  );
  if (!result.ok) throw new Error('rejected');
  return result.value;
}

const mode = (text: string): object => ({ mtls: { mode: text } });
const mesh = (text: string): PeerAuthentication => parse(mode(text), { namespace: ROOT });
const ofNamespace = (text: string): PeerAuthentication => parse(mode(text));
const ofWorkload = (text: string, ports: Record<string, object> = {}): PeerAuthentication =>
  parse({ selector: { matchLabels: { app: 'a' } }, ...mode(text), portLevelMtls: ports });
const PERMISSIVE = { mode: 'PERMISSIVE' };
const STRICT = { mode: 'STRICT' };

/** Whether plaintext to ports 80 and 9090 of a workload with `app: a` is allowed. */
const ROWS: readonly [string, readonly PeerAuthentication[], boolean, boolean][] = [
  ['without any, plaintext is allowed', [], true, true],
  ['STRICT for the mesh refuses it', [mesh('STRICT')], false, false],
  [
    'PERMISSIVE for the namespace wins over the mesh',
    [mesh('STRICT'), ofNamespace('PERMISSIVE')],
    true,
    true,
  ],
  ['STRICT for the namespace wins over the mesh', [mesh('PERMISSIVE'), ofNamespace('STRICT')], false, false],
  ['UNSET inherits', [mesh('STRICT'), ofNamespace('UNSET')], false, false],
  ['the workload wins over the namespace', [ofNamespace('STRICT'), ofWorkload('PERMISSIVE')], true, true],
  ['STRICT for the workload wins too', [ofNamespace('PERMISSIVE'), ofWorkload('STRICT')], false, false],
  ['a port may be PERMISSIVE', [ofWorkload('STRICT', { 9090: PERMISSIVE })], false, true],
  ['a port may be STRICT', [ofWorkload('PERMISSIVE', { 9090: STRICT })], true, false],
  [
    'a port may differ from an inherited mode',
    [mesh('STRICT'), ofWorkload('UNSET', { 9090: PERMISSIVE })],
    false,
    true,
  ],
  ['another namespace does not matter', [parse(mode('STRICT'), { namespace: 'other' })], true, true],
  [
    'a selector that does not select does not matter',
    [parse({ selector: { matchLabels: { app: 'b' } }, ...mode('STRICT') })],
    true,
    true,
  ],
  [
    'of two on one level the oldest holds',
    [
      parse(mode('PERMISSIVE'), { name: 'young', creationTimestamp: '2026-02-01T00:00:00Z' }),
      parse(mode('STRICT'), { name: 'old', creationTimestamp: '2026-01-01T00:00:00Z' }),
    ],
    false,
    false,
  ],
];

test('the mode that holds for a workload', async t => {
  const workload = { namespace: 'shop', labels: { app: 'a' } };
  for (const [name, all, onPort80, onPort9090] of ROWS) {
    const policy = mtlsPolicy(effectiveMtls(workload, all, ROOT), ROOT);
    const set = compile(policy === undefined ? [] : [policy]);
    const allowed = (sourceIdentity: string | undefined, destinationPort: number): boolean =>
      evaluate(
        set,
        authzConnection({ sourceIdentity, sourceIp: '10.0.0.1', destinationIp: '10.0.0.2', destinationPort }),
      ).allowed;
    t.equal(allowed(undefined, 80), onPort80, name);
    t.equal(allowed(undefined, 9090), onPort9090, `${name} (port 9090)`);
    t.equal(allowed('spiffe://td/ns/shop/sa/b', 80), true, `${name} (an identity is always allowed)`);
  }
});

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', { mlts: {} }, 'spec.mlts', /no field of this object/],
  ['an unknown mode', mode('MUTUAL'), 'spec.mtls.mode', /not one of/],
  ['ports without a selector', { portLevelMtls: { 80: STRICT } }, 'spec.portLevelMtls', /needs a selector/],
  [
    'a port that is none',
    { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { http: STRICT } },
    'spec.portLevelMtls.http',
    /no port/,
  ],
];

test('a wrong PeerAuthentication is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translatePeerAuthentication(kubeObject('PeerAuthentication', spec));
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { object: 'PeerAuthentication shop/it', field, message, fix: /./ }, name);
  }
  const disabled = translatePeerAuthentication(kubeObject('PeerAuthentication', mode('DISABLE')));
  t.match(
    disabled.diagnostics[0],
    { severity: 'ignored', message: /taken as PERMISSIVE/ },
    'DISABLE is PERMISSIVE',
  );
});
