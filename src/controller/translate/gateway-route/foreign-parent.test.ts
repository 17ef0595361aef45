import { test } from 'tap';
import { kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import type { Translated } from '../diagnostic.ts';
import { translateGrpcRoute } from '../grpc-route/grpc-route.ts';
import { translateHttpRoute } from '../http-route/http-route.ts';
import { translateTcpRoute } from '../tcp-route/tcp-route.ts';
import { translateTlsRoute } from '../tls-route/tls-route.ts';
import type { RouteTranslation } from './route-translation.ts';

const SERVICES = servicesOf({ 'shop/payments': [80] });
const INGRESS = { name: 'public', sectionName: 'https' };
const SERVICE = { group: '', kind: 'Service', name: 'payments' };

/** One of each kind, with what the mesh knows nothing of. */
const OF_AN_INGRESS = [
  [translateHttpRoute, 'HTTPRoute', { matches: [{ path: { type: 'Glob', value: '*.php' } }] }],
  [translateHttpRoute, 'HTTPRoute', { filters: [{ type: 'ExtensionRef' }], backendRefs: [{ name: 'nope' }] }],
  [translateGrpcRoute, 'GRPCRoute', { backendRefs: [{ group: 'example.net', kind: 'Pool', name: 'p' }] }],
  [translateTcpRoute, 'TCPRoute', {}],
  [translateTlsRoute, 'TLSRoute', { backendRefs: [{ name: 'nope', port: 443 }] }],
] as const;

const diagnosticsOf = ({ diagnostics }: Translated<RouteTranslation>): readonly object[] => diagnostics;

test('a route of an ingress is not for us to judge: nothing of it is refused, and nothing is said', async t => {
  for (const [translate, kind, rule] of OF_AN_INGRESS) {
    const spec = { parentRefs: [INGRESS], hostnames: ['shop.example'], rules: [rule], timeouts: 'soon' };
    const result = translate(kubeObject(kind, spec), SERVICES);
    t.match(result, { ok: true, value: { kind, attachments: [], faults: [] } }, kind);
    t.same(diagnosticsOf(result), [], kind);
    const shared = { ...spec, parentRefs: [INGRESS, SERVICE] };
    t.equal(translate(kubeObject(kind, shared), SERVICES).ok, false, `${kind} of a Service as well`);
  }
});

test('a route of an ingress and of a Service has its host names for the one, and is read for the other', async t => {
  const spec = {
    parentRefs: [INGRESS, SERVICE],
    hostnames: ['shop.example'],
    useDefaultGateways: 'All',
    rules: [{ backendRefs: [{ name: 'payments', port: 80 }] }],
  };
  const result = translateHttpRoute(kubeObject('HTTPRoute', spec), SERVICES);
  t.match(result, { ok: true, value: { attachments: [{ service: /payments/ }] } });
  t.same(diagnosticsOf(result), []);
});

const OF_OTHER_MESHES: readonly [string, object, RegExp][] = [
  ['an EgressNetwork of Linkerd', { group: 'policy.linkerd.io', kind: 'EgressNetwork' }, /ServiceEntry/],
  ['a Service without its group', { kind: 'Service' }, /set group: "" beside it/],
  ['a ServiceEntry without its group', { kind: 'ServiceEntry' }, /set group: networking.istio.io/],
  ['a ServiceImport', { group: 'multicluster.x-k8s.io', kind: 'ServiceImport' }, /make the Service/],
];

test('a Server of Linkerd is a parent of requests, not of connections', async t => {
  const parentRefs = [{ group: 'policy.linkerd.io', kind: 'Server', name: 'x' }];
  const spec = { parentRefs, rules: [{ backendRefs: [{ name: 'payments', port: 80 }] }] };
  t.same(translateHttpRoute(kubeObject('HTTPRoute', spec), SERVICES).diagnostics, []);
  t.match(translateTcpRoute(kubeObject('TCPRoute', spec), SERVICES).diagnostics, [
    { field: 'spec.parentRefs[0].kind', fix: /takes HTTPRoutes and GRPCRoutes/ },
  ]);
});

test('a parent that nobody reads is said with what to write', async t => {
  for (const [name, parent, fix] of OF_OTHER_MESHES) {
    for (const parentRefs of [[{ ...parent, name: 'x' }], [SERVICE, { ...parent, name: 'x' }]]) {
      const spec = { parentRefs, rules: [{ backendRefs: [{ name: 'payments', port: 80 }] }] };
      const result = translateHttpRoute(kubeObject('HTTPRoute', spec), SERVICES);
      const field = `spec.parentRefs[${parentRefs.length - 1}].kind`;
      t.match(
        result,
        { ok: true, diagnostics: [{ field, message: /no parent of this mesh/, fix, severity: 'ignored' }] },
        name,
      );
    }
  }
});
