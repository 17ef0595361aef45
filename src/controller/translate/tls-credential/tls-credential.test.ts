import { test } from 'tap';
import { createTestCa } from '#shared/testing/test-ca.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { translateTlsCredential } from './tls-credential.ts';

const ca = await createTestCa();
const material = await ca.issue('spiffe://td/ns/shop/sa/api');
const other = await ca.issue('spiffe://td/ns/shop/sa/other');
const { certChainPem: chain, privateKeyPem: key } = material;
const lists = await ca.revocationLists([other]);

function secret(data: Record<string, string>, labels: Record<string, string> = LABELLED): KubeObject {
  const encoded: Record<string, string> = {};
  for (const [name, text] of Object.entries(data)) encoded[name] = Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'api',
      namespace: 'shop',
      labels,
      annotations: {},
      creationTimestamp: '',
      generation: 1,
    },
    spec: undefined,
    body: { data: encoded },
  };
}

const LABELLED = { 'ambient.mesh/tls-credential': 'true' };

test('what a Secret holds, by the names of kubernetes.io/tls and by those of Istio', t => {
  const expected = {
    name: 'shop/api',
    certificateChainPem: chain,
    privateKeyPem: key,
    trustedRootsPem: ca.rootPem,
    revocationListsPem: lists,
  };
  const tls = secret({ 'tls.crt': chain, 'tls.key': key, 'ca.crt': ca.rootPem, 'ca.crl': lists });
  t.same(translateTlsCredential(tls), { ok: true, value: expected, diagnostics: [] });
  const generic = secret({ cert: chain, key, cacert: ca.rootPem, crl: lists });
  t.same(translateTlsCredential(generic), { ok: true, value: expected, diagnostics: [] });
  const roots = translateTlsCredential(secret({ 'ca.crt': ca.rootPem }));
  t.match(roots, { ok: true, value: { privateKeyPem: '', certificateChainPem: '' } }, 'authorities alone');
  const written = { ...secret({}), body: { stringData: { 'ca.crt': ca.rootPem } } };
  t.match(translateTlsCredential(written), { ok: true, value: { trustedRootsPem: ca.rootPem } });
  t.end();
});

test('a Secret that is not labelled for it is none of ours', t => {
  for (const labels of [{}, { 'ambient.mesh/tls-credential': 'no' }])
    t.same(translateTlsCredential(secret({ 'tls.crt': 'x' }, labels)), {
      ok: true,
      value: undefined,
      diagnostics: [],
    });
  t.end();
});

const REJECTED: readonly [string, Record<string, string>, RegExp][] = [
  ['nothing of use', { password: 'x' }, /neither a certificate .* nor authorities/],
  ['a certificate without its key', { 'tls.crt': chain }, /go together/],
  ['a key without its certificate', { 'tls.key': key, 'ca.crt': ca.rootPem }, /go together/],
  ['a certificate that is none', { 'tls.crt': 'x', 'tls.key': key }, /holds no certificate/],
  ['a key of another certificate', { 'tls.crt': chain, 'tls.key': other.privateKeyPem }, /does not belong/],
  ['authorities that are none', { 'ca.crt': 'x' }, /nobody could be verified/],
  ['a revocation list that is none', { 'ca.crt': ca.rootPem, 'ca.crl': 'x' }, /no revocation list/],
];

test('a wrong Secret is rejected, and nothing of it is shown', t => {
  for (const [name, data, message] of REJECTED) {
    const result = translateTlsCredential(secret(data));
    t.equal(result.ok, false, name);
    t.match(
      result.diagnostics[0],
      { object: 'Secret shop/api', field: 'data', message, fix: /tls\.crt/ },
      name,
    );
    t.notMatch(JSON.stringify(result), /BEGIN/, name);
  }
  t.end();
});
