import { test } from 'tap';
import { createTestCa } from '#shared/testing/test-ca.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { translateCaBundle } from './ca-bundle.ts';

const [one, two] = await Promise.all([createTestCa('one'), createTestCa('two')]);
const { privateKeyPem } = await one.issue('spiffe://td/ns/shop/sa/api');

function configMap(data: Readonly<Record<string, unknown>>): KubeObject {
  return { ...kubeObject('ConfigMap', undefined), body: { data } };
}

test('the certificates of ca.crt, and nothing of what stands between them', t => {
  const commented = `# one\n${one.rootPem}\n# two, and a key by mistake\n${privateKeyPem}${two.rootPem}`;
  const pem = `${one.rootPem.trim()}\n${two.rootPem.trim()}`;
  t.same(translateCaBundle(configMap({ 'ca.crt': commented })), { ok: true, value: pem, diagnostics: [] });
  t.end();
});

const REJECTED: readonly [string, Readonly<Record<string, unknown>>, RegExp][] = [
  ['no ca.crt', { 'ca.pem': one.rootPem }, /^is required$/],
  ['an empty ca.crt', { 'ca.crt': '' }, /^is required$/],
  ['a ca.crt that holds no certificate', { 'ca.crt': privateKeyPem }, /holds no certificate/],
  [
    'a certificate that does not parse',
    { 'ca.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
    /root 0 of the trust bundle does not parse/,
  ],
];

test('a ConfigMap without authorities is rejected, and nothing of it is shown', t => {
  for (const [name, data, message] of REJECTED) {
    const result = translateCaBundle(configMap(data));
    t.equal(result.ok, false, name);
    t.match(
      result.diagnostics[0],
      { object: 'ConfigMap shop/it', field: 'data.ca.crt', message, fix: /PEM/ },
      name,
    );
    t.notMatch(JSON.stringify(result), /BEGIN/, name);
  }
  t.end();
});
