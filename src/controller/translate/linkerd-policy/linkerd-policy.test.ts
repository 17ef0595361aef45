import { test } from 'tap';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Translated } from '../diagnostic.ts';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateMeshTls, translateNetworkAuthentication } from './authentication.ts';
import { translateLinkerdAuthorization } from './authorization-policy.ts';
import { principalOf } from './identity.ts';
import { translateInboundRoute } from './inbound-route.ts';
import { translateServerAuthorization } from './server-authorization.ts';
import { translateServer } from './server.ts';

const CLUSTER = { trustDomain: 'cluster.local' };

function translate(object: KubeObject): Translated<unknown> {
  switch (object.kind) {
    case 'Server':
      return translateServer(object);
    case 'AuthorizationPolicy.policy.linkerd.io':
      return translateLinkerdAuthorization(object);
    case 'MeshTLSAuthentication':
      return translateMeshTls(object, CLUSTER);
    case 'NetworkAuthentication':
      return translateNetworkAuthentication(object);
    case 'ServerAuthorization':
      return translateServerAuthorization(object, CLUSTER);
    default:
      return translateInboundRoute(object);
  }
}

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects => objects.map(translate));
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const POLICY = 'AuthorizationPolicy.policy.linkerd.io';
const SERVER = { group: 'policy.linkerd.io', kind: 'Server', name: 'web' };
const refs = (ref: object): object => ({ targetRef: SERVER, requiredAuthenticationRefs: [ref] });
const target = (targetRef: object): object => ({ targetRef, requiredAuthenticationRefs: [] });
const networks = (...list: readonly object[]): object => ({ networks: list });
const client = (fields: object): object => ({ server: { name: 'web' }, client: fields });
const attached = (rules: object, parent: object = {}): object => ({
  parentRefs: [{ ...SERVER, ...parent }],
  rules,
});

/** Sentence, kind, spec, field, message. */
const REJECTED: readonly [string, string, object, string, RegExp][] = [
  [
    'a misspelt field',
    POLICY,
    { ...refs({ kind: 'ServiceAccount', name: 'a' }), target: 1 },
    'spec.target',
    /no field of this object/,
  ],
  ['no target', POLICY, { requiredAuthenticationRefs: [] }, 'spec.targetRef', /is required/],
  ['no authentications', POLICY, { targetRef: SERVER }, 'spec.requiredAuthenticationRefs', /is required/],
  [
    'a target of another kind',
    POLICY,
    target({ kind: 'Service', name: 'web' }),
    'spec.targetRef.kind',
    /none that can be named here/,
  ],
  [
    'a Server of no group',
    POLICY,
    target({ kind: 'Server', name: 'web' }),
    'spec.targetRef.kind',
    /none that can be named here, of no group/,
  ],
  ['a target without a name', POLICY, target({ ...SERVER, name: '' }), 'spec.targetRef.name', /is required/],
  [
    'a target of another namespace',
    POLICY,
    target({ ...SERVER, namespace: 'bank' }),
    'spec.targetRef.namespace',
    /is not supported/,
  ],
  [
    'another namespace as the target',
    POLICY,
    target({ kind: 'Namespace', name: 'bank' }),
    'spec.targetRef.name',
    /another namespace/,
  ],
  [
    'an authentication of another kind',
    POLICY,
    refs({ kind: 'Secret', name: 'a' }),
    'spec.requiredAuthenticationRefs[0].kind',
    /none that can be named here/,
  ],
  [
    'an authentication of another group',
    POLICY,
    refs({ group: 'security.istio.io', kind: 'MeshTLSAuthentication', name: 'a' }),
    'spec.requiredAuthenticationRefs[0].kind',
    /of group security.istio.io/,
  ],
  [
    'an authentication without a name',
    POLICY,
    refs({ kind: 'ServiceAccount' }),
    'spec.requiredAuthenticationRefs[0].name',
    /is required/,
  ],
  [
    'no identities',
    'MeshTLSAuthentication',
    { identities: [] },
    'spec.identities',
    /is required, or identityRefs/,
  ],
  [
    'an identity of a kind that has none',
    'MeshTLSAuthentication',
    { identityRefs: [{ kind: 'Pod', name: 'a' }] },
    'spec.identityRefs[0].kind',
    /none that can be named here/,
  ],
  ['no networks', 'NetworkAuthentication', {}, 'spec.networks', /is required/],
  [
    'a network without a range',
    'NetworkAuthentication',
    networks({ except: [] }),
    'spec.networks[0].cidr',
    /is required/,
  ],
  [
    'a range that is none',
    'NetworkAuthentication',
    networks({ cidr: '10.0.0.0/33' }),
    'spec.networks[0].cidr',
    /"10.0.0.0\/33" is no IP address or range/,
  ],
  [
    'an exception that is none',
    'NetworkAuthentication',
    networks({ cidr: '10.0.0.0/8', except: ['x'] }),
    'spec.networks[0].except',
    /"x" is no IP address or range/,
  ],
  [
    'an exception outside of the range',
    'NetworkAuthentication',
    networks({ cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] }),
    'spec.networks[0].except',
    /"11.0.0.0\/16" is not inside of cidr/,
  ],
  [
    'an exception that is wider',
    'NetworkAuthentication',
    networks({ cidr: '10.0.0.0/8', except: ['10.0.0.0/7'] }),
    'spec.networks[0].except',
    /not inside of cidr/,
  ],
  [
    'an exception that is all of it',
    'NetworkAuthentication',
    networks({ cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] }),
    'spec.networks[0].except',
    /nobody is left/,
  ],
  ['no server', 'ServerAuthorization', { client: { unauthenticated: true } }, 'spec.server', /is required/],
  [
    'a server without a name',
    'ServerAuthorization',
    { server: {}, client: { unauthenticated: true } },
    'spec.server.name',
    /is required, or selector/,
  ],
  [
    'a name and a selector',
    'ServerAuthorization',
    { server: { name: 'a', selector: {} }, client: { unauthenticated: true } },
    'spec.server.selector',
    /cannot be together with name/,
  ],
  ['no client', 'ServerAuthorization', { server: { name: 'a' } }, 'spec.client', /is required/],
  [
    'a client that is nobody',
    'ServerAuthorization',
    client({ unauthenticated: false }),
    'spec.client.meshTLS',
    /is required, or unauthenticated/,
  ],
  [
    'TLS of nobody',
    'ServerAuthorization',
    client({ meshTLS: {} }),
    'spec.client.meshTLS.identities',
    /is required, or serviceAccounts/,
  ],
  [
    'a network of a ServerAuthorization that is none',
    'ServerAuthorization',
    client({ networks: [{ cidr: 'a' }], unauthenticated: true }),
    'spec.client.networks[0].cidr',
    /no IP address or range/,
  ],
  [
    'a misspelt match of a route',
    'HTTPRoute',
    attached([{ match: [] }]),
    'spec.rules[0].match',
    /no field of this object/,
  ],
  [
    'a filter that a Server does not apply',
    'HTTPRoute',
    attached([{ filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'a' } }] }]),
    'spec.rules[0].filters[0].type',
    /is no filter that a Server applies/,
  ],
  [
    'a filter without what it is to do',
    'HTTPRoute',
    attached([{ filters: [{ type: 'RequestRedirect' }] }]),
    'spec.rules[0].filters[0].requestRedirect',
    /is required for this type of filter/,
  ],
  [
    'a redirect by a prefix that is not matched',
    'HTTPRoute',
    attached([
      {
        matches: [{ path: { type: 'Exact', value: '/a' } }],
        filters: [
          {
            type: 'RequestRedirect',
            requestRedirect: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/b' } },
          },
        ],
      },
    ]),
    'spec.rules[0].filters[0].requestRedirect.path.replacePrefixMatch',
    /needs matches of type PathPrefix only/,
  ],
  [
    'a redirect of gRPC',
    'GRPCRoute',
    attached([{ filters: [{ type: 'RequestRedirect', requestRedirect: {} }] }]),
    'spec.rules[0].filters[0].type',
    /is no filter that a Server applies/,
  ],
  [
    'a Server of another namespace as parent',
    'HTTPRoute',
    attached([], { namespace: 'bank' }),
    'spec.parentRefs[0].namespace',
    /another namespace/,
  ],
  [
    'a port of a Server as parent',
    'HTTPRoute',
    attached([], { port: 80 }),
    'spec.parentRefs[0].port',
    /is not supported/,
  ],
];

test('a wrong object is rejected with the field that is wrong', async t => {
  for (const [name, kind, spec, field, message] of REJECTED) {
    const result = translate(kubeObject(kind, spec));
    t.equal(result.ok, false, name);
    const rejected = result.diagnostics.filter(one => one.severity === 'rejected');
    t.match(
      rejected.find(one => one.field === field),
      { field, message, fix: /./ },
      name,
    );
  }
});

/** Sentence, kind, spec, field, message. */
const SAID: readonly [string, string, object, string, RegExp][] = [
  [
    'an identity that nobody has',
    'MeshTLSAuthentication',
    { identities: ['web.example.com'] },
    'spec.identities',
    /"web.example.com" is no identity of an account: nobody has it/,
  ],
  [
    'an identity of another trust domain',
    'MeshTLSAuthentication',
    { identities: ['a.b.serviceaccount.identity.linkerd.other'] },
    'spec.identities',
    /is of trust domain other, and this mesh is cluster.local/,
  ],
  [
    'a filter that is for the Service of a route alone',
    'HTTPRoute',
    {
      parentRefs: [SERVER, { group: '', kind: 'Service', name: 'web' }],
      rules: [{ filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'a' } }] }],
    },
    'spec.rules[0].filters[0].type',
    /is no filter that a Server applies/,
  ],
];

test('what is not held is said', async t => {
  for (const [name, kind, spec, field, message] of SAID)
    t.match(
      translate(kubeObject(kind, spec)),
      { ok: true, diagnostics: [{ field, message, fix: /./ }] },
      name,
    );
});

const IDENTITIES: readonly [string, object | undefined][] = [
  ['*', { kind: 'presence' }],
  [
    'web.shop.serviceaccount.identity.linkerd.cluster.local',
    { kind: 'exact', value: 'cluster.local/ns/shop/sa/web' },
  ],
  ['web.v1.shop.serviceaccount.identity.l5d.td', { kind: 'exact', value: 'td/ns/shop/sa/web.v1' }],
  [
    '*.shop.serviceaccount.identity.linkerd.cluster.local',
    { kind: 'prefix', value: 'cluster.local/ns/shop/sa/' },
  ],
  ['*.serviceaccount.identity.linkerd.cluster.local', { kind: 'prefix', value: 'cluster.local/' }],
  ['*.identity.linkerd.cluster.local', { kind: 'prefix', value: 'cluster.local/' }],
  ['*.linkerd.cluster.local', { kind: 'prefix', value: 'cluster.local/' }],
  ['*.cluster.local', { kind: 'prefix', value: 'cluster.local/' }],
  ['*.local', { kind: 'prefix', value: 'cluster.local/' }],
  ['spiffe://td/ns/a/sa/b', { kind: 'exact', value: 'td/ns/a/sa/b' }],
  ['*.a.b.cluster.local', undefined],
  ['*.xcluster.local', undefined],
  ['*.v1.shop.serviceaccount.identity.linkerd.cluster.local', undefined],
  ['*.other', undefined],
  ['web', undefined],
  ['web.shop.serviceaccount.identity.linkerd', undefined],
  ['shop.serviceaccount.identity.linkerd.td', undefined],
];

test('who has an identity of Linkerd', async t => {
  for (const [text, expected] of IDENTITIES) t.same(principalOf(text, 'cluster.local'), expected, text);
});
