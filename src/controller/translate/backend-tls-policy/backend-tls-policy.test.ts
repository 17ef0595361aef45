import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateBackendTlsPolicy } from './backend-tls-policy.ts';
import { looseTargets } from './targets.ts';

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(translateBackendTlsPolicy),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const TARGET = { group: '', kind: 'Service', name: 'api' };
const CA = { group: '', kind: 'ConfigMap', name: 'ca' };
const VALIDATION = { hostname: 'api.example.com', caCertificateRefs: [CA] };
const validated = (over: object): object => ({
  targetRefs: [TARGET],
  validation: { ...VALIDATION, ...over },
});
const named = (subjectAltName: object): object => validated({ subjectAltNames: [subjectAltName] });
const targeting = (...targetRefs: readonly object[]): object => ({ targetRefs, validation: VALIDATION });
const many = <T>(count: number, item: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => item(i));
const TARGETS = 'spec.targetRefs';
const NAME = 'spec.validation.subjectAltNames[0]';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['no target', { validation: VALIDATION }, TARGETS, /is required/],
  ['no validation', { targetRefs: [TARGET] }, 'spec.validation', /is required/],
  ['a misspelt field', { ...targeting(TARGET), tls: {} }, 'spec.tls', /no field of this object/],
  [
    'a target of another namespace',
    targeting({ ...TARGET, namespace: 'bank' }),
    `${TARGETS}[0].namespace`,
    /is not supported/,
  ],
  ['a target without a name', targeting({ group: '', kind: 'Service' }), `${TARGETS}[0].name`, /is required/],
  ['a Service twice', targeting(TARGET, TARGET), TARGETS, /names api twice/],
  [
    'a port twice',
    targeting({ ...TARGET, sectionName: 'a' }, { ...TARGET, sectionName: 'a' }),
    TARGETS,
    /names api twice/,
  ],
  [
    'a Service and a port of it',
    targeting(TARGET, { ...TARGET, sectionName: 'a' }),
    TARGETS,
    /names api with and without a port/,
  ],
  [
    'seventeen targets',
    targeting(...many(17, i => ({ ...TARGET, name: `api-${i}` }))),
    TARGETS,
    /more than 16 targets/,
  ],
  [
    'no hostname',
    { targetRefs: [TARGET], validation: { caCertificateRefs: [CA] } },
    'spec.validation.hostname',
    /is required/,
  ],
  [
    'a hostname with a wildcard',
    validated({ hostname: '*.example.com' }),
    'spec.validation.hostname',
    /is no host name/,
  ],
  [
    'a hostname in capitals',
    validated({ hostname: 'Api.example.com' }),
    'spec.validation.hostname',
    /is no host name/,
  ],
  [
    'an address as hostname',
    validated({ hostname: '10.0.0.1' }),
    'spec.validation.hostname',
    /is no host name/,
  ],
  [
    'a hostname that is too long',
    validated({ hostname: 'a'.repeat(254) }),
    'spec.validation.hostname',
    /is no host name/,
  ],
  [
    'nobody to trust',
    validated({ caCertificateRefs: [] }),
    'spec.validation.caCertificateRefs',
    /is required, or wellKnownCACertificates/,
  ],
  [
    'authorities of two origins',
    validated({ wellKnownCACertificates: 'System' }),
    'spec.validation.wellKnownCACertificates',
    /cannot be together/,
  ],
  [
    'well-known authorities that nobody knows',
    validated({ caCertificateRefs: undefined, wellKnownCACertificates: 'Mozilla' }),
    'spec.validation.wellKnownCACertificates',
    /not one of/,
  ],
  [
    'authorities of another namespace',
    validated({ caCertificateRefs: [{ ...CA, namespace: 'bank' }] }),
    'spec.validation.caCertificateRefs[0].namespace',
    /is not supported/,
  ],
  [
    'nine objects with authorities',
    validated({ caCertificateRefs: many(9, i => ({ ...CA, name: `ca-${i}` })) }),
    'spec.validation.caCertificateRefs',
    /more than 8 objects/,
  ],
  ['a name without a type', named({ hostname: 'a.example.com' }), `${NAME}.type`, /is required/],
  ['a name of an unknown type', named({ type: 'Email', hostname: 'a' }), `${NAME}.type`, /not one of/],
  [
    'a name that is none',
    named({ type: 'Hostname', hostname: 'a_b' }),
    `${NAME}.hostname`,
    /is no host name/,
  ],
  ['a name that is missing', named({ type: 'Hostname' }), `${NAME}.hostname`, /is no host name/],
  [
    'a wildcard inside of a name',
    named({ type: 'Hostname', hostname: 'a.*.example.com' }),
    `${NAME}.hostname`,
    /is no host name/,
  ],
  [
    'a name and a URI',
    named({ type: 'Hostname', hostname: 'a', uri: 'spiffe://a/b' }),
    `${NAME}.uri`,
    /has no meaning with type Hostname/,
  ],
  ['a relative URI', named({ type: 'URI', uri: '/ns/shop' }), `${NAME}.uri`, /is no absolute URI/],
  ['a URI that is missing', named({ type: 'URI' }), `${NAME}.uri`, /is no absolute URI/],
  [
    'a URI and a name',
    named({ type: 'URI', hostname: 'a', uri: 'spiffe://a/b' }),
    `${NAME}.hostname`,
    /has no meaning with type URI/,
  ],
  [
    'six names',
    validated({ subjectAltNames: many(6, i => ({ type: 'Hostname', hostname: `a${i}` })) }),
    'spec.validation.subjectAltNames',
    /more than 5 names/,
  ],
  ['the fields of v1alpha2', { targetRef: TARGET, tls: {} }, TARGETS, /is required/],
];

test('a wrong BackendTLSPolicy is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateBackendTlsPolicy(kubeObject('BackendTLSPolicy', spec));
    t.equal(result.ok, false, name);
    t.match(
      result.diagnostics.find(one => one.field === field),
      { object: 'BackendTLSPolicy shop/it', message, fix: /./, severity: 'rejected' },
      name,
    );
  }
});

const IGNORED: readonly [string, object, string, RegExp][] = [
  [
    'a target that is no Service',
    targeting(TARGET, { ...TARGET, kind: 'Bucket' }),
    `${TARGETS}[1].kind`,
    /Bucket cannot be a target/,
  ],
  [
    'an option',
    { ...targeting(TARGET), options: { 'example.com/ciphers': 'all' } },
    'spec.options.example.com/ciphers',
    /has no effect/,
  ],
];

test('what is ignored is said', async t => {
  for (const [name, spec, field, message] of IGNORED) {
    const result = translateBackendTlsPolicy(kubeObject('BackendTLSPolicy', spec));
    t.equal(result.ok, true, name);
    t.match(result.diagnostics, [{ field, message, severity: 'ignored', fix: /./ }], name);
  }
});

test('whom a policy is meant for can be told of one that is wrong', async t => {
  const spec = {
    targetRefs: [{ ...TARGET, sectionName: 'a' }, 'b', { kind: 'Bucket', name: 'c' }, { kind: 'Service' }],
  };
  t.same(looseTargets(kubeObject('BackendTLSPolicy', spec)), [{ name: 'api', sectionName: 'a' }]);
  t.same(looseTargets(kubeObject('BackendTLSPolicy', 'nonsense')), []);
});
