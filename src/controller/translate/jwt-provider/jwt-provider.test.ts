import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateJwtProvider } from './jwt-provider.ts';

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(translateJwtProvider),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const REMOTE = { remote: { uri: 'https://a/keys' } };
const spec = (fields: object): object => ({ issuer: 'https://a', jsonWebKeySet: REMOTE, ...fields });
const keys = (jsonWebKeySet: object): object => spec({ jsonWebKeySet });
const at = (location: object): object => spec({ locations: [location] });

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', spec({ issuers: [] }), 'spec.issuers', /no field of this object/],
  ['no issuer', { jsonWebKeySet: REMOTE }, 'spec.issuer', /is required/],
  ['no keys', { issuer: 'https://a' }, 'spec.jsonWebKeySet', /is required/],
  ['keys of neither kind', keys({}), 'spec.jsonWebKeySet.remote', /is required, or local/],
  [
    'keys of both kinds',
    keys({ ...REMOTE, local: { jwks: 'e30=' } }),
    'spec.jsonWebKeySet.remote',
    /only one of them/,
  ],
  [
    'keys in a file of the proxy',
    keys({ local: { filename: '/keys' } }),
    'spec.jsonWebKeySet.local.filename',
    /not supported/,
  ],
  [
    'keys that are no key set',
    keys({ local: { jwks: 'e30=' } }),
    'spec.jsonWebKeySet.local.jwks',
    /cannot be used/,
  ],
  [
    'an address that is none',
    keys({ remote: { uri: 'a/keys' } }),
    'spec.jsonWebKeySet.remote.uri',
    /no HTTP address/,
  ],
  ['a location of no kind', at({}), 'spec.locations[0].header', /is required, or queryParam/],
  [
    'a location of two kinds',
    at({ queryParam: { name: 'a' }, cookie: { name: 'b' } }),
    'spec.locations[0].header',
    /only one/,
  ],
  [
    'a header that is none',
    at({ header: { name: 'a b' } }),
    'spec.locations[0].header.name',
    /no header name/,
  ],
  ['clocks that differ by days', spec({ clockSkewSeconds: 100_000 }), 'spec.clockSkewSeconds', /86400/],
];

test('a wrong JWTProvider is rejected with the field that is wrong', async t => {
  for (const [name, body, field, message] of REJECTED) {
    const result = translateJwtProvider(kubeObject('JWTProvider', body));
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { object: 'JWTProvider shop/it', field, message, fix: /./ }, name);
  }
});
