import { generateKeyPairSync } from 'node:crypto';
import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateRequestAuthentication } from './request-authentication.ts';

const OPTIONS = { rootNamespace: 'istio-system' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateRequestAuthentication(object, OPTIONS)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const rule = (fields: object): object => ({ jwtRules: [{ issuer: 'https://a', ...fields }] });
const RULE = 'spec.jwtRules[0]';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', { jwtRule: [] }, 'spec.jwtRule', /no field of this object/],
  ['a rule without an issuer', { jwtRules: [{}] }, `${RULE}.issuer`, /is required/],
  [
    'a selector with targetRefs',
    { selector: {}, targetRefs: [{ kind: 'Service', group: '', name: 'a' }] },
    'spec.selector',
    /cannot be together/,
  ],
  [
    'keys of two kinds',
    rule({ jwks: '{"keys":[]}', jwksUri: 'https://a' }),
    `${RULE}.jwks`,
    /cannot be together/,
  ],
  ['keys that are no JSON', rule({ jwks: 'x' }), `${RULE}.jwks`, /is not JSON/],
  ['a key set without keys', rule({ jwks: '{"keys":[]}' }), `${RULE}.jwks`, /has no keys/],
  ['an address that is none', rule({ jwksUri: 'file:///a' }), `${RULE}.jwksUri`, /no HTTP address/],
  [
    'a header that is none',
    rule({ fromHeaders: [{ name: 'a b' }] }),
    `${RULE}.fromHeaders[0].name`,
    /no header name/,
  ],
  [
    'an output header that is none',
    rule({ outputPayloadToHeader: 'a b' }),
    `${RULE}.outputPayloadToHeader`,
    /no header name/,
  ],
  [
    'an output without its claim',
    rule({ outputClaimToHeaders: [{ header: 'a' }] }),
    `${RULE}.outputClaimToHeaders[0].claim`,
    /is required/,
  ],
  ['a presence that is none', rule({ presence: 'MAYBE' }), `${RULE}.presence`, /OPTIONAL|values it can have/],
  ['a timeout that is none', rule({ timeout: 'soon' }), `${RULE}.timeout`, /is not a duration/],
];

test('a wrong RequestAuthentication is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateRequestAuthentication(kubeObject('RequestAuthentication', spec), OPTIONS);
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { field, message, fix: /./, severity: 'rejected' }, name);
  }
});

test('keys written in the object are checked', async t => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const jwks = JSON.stringify({ keys: [{ ...key, alg: 'ES256' }] });
  const result = translateRequestAuthentication(kubeObject('RequestAuthentication', rule({ jwks })), OPTIONS);
  t.match(result, { ok: true, value: { issuers: [{ keys: { kind: 'inline', jwks } }] }, diagnostics: [] });
});
