import { test } from 'tap';
import { formatDiagnostic } from '../translate/diagnostic.ts';
import { IndexLab } from '../testing/index-lab.ts';
import { withoutEffect } from './without-effect.ts';

const SHOP = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}
---
apiVersion: v1
kind: Pod
metadata: {name: pay-0, namespace: shop, labels: {app: pay, version: v1}, annotations: {ambient.istio.io/redirection: enabled}}
spec: {nodeName: n, containers: [{name: a}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
spec: {clusterIP: 10.96.0.1, selector: {app: pay}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop}
spec: {clusterIP: 10.96.0.2, selector: {app: pay}, ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: ambient-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vendor, namespace: shop}
spec: {hosts: [api.vendor.test], ports: [{number: 80, name: http}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pay, namespace: shop}
spec: {host: pay, subsets: [{name: v1, labels: {version: v1}}]}`;

function route(service: string): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec: {parentRefs: [{group: "", kind: Service, name: ${service}}], rules: [{backendRefs: [{name: pay, port: 80}]}]}`;
}

function virtualService(host: string, subset: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: shop}
spec: {hosts: [${host}], http: [{route: [{destination: {host: pay, subset: ${subset}}}]}]}`;
}

function policy(kind: string, app: string, namespace = 'shop'): string {
  return `
apiVersion: security.istio.io/v1
kind: ${kind}
metadata: {name: p, namespace: ${namespace}}
spec: {selector: {matchLabels: {app: ${app}}}}`;
}

function consul(kind: string, name: string, spec: string): string {
  return `
apiVersion: consul.hashicorp.com/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: ${spec}`;
}

function destinationRule(host: string, spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: d, namespace: shop}
spec: {host: "${host}", ${spec}}`;
}

const PROFILE = `
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: plain.shop.svc.cluster.local, namespace: shop}
spec: {routes: [{name: a, condition: {method: GET}}]}`;

const ANNOTATED = `
apiVersion: v1
kind: Service
metadata: {name: noted, namespace: shop, annotations: {retry.linkerd.io/http: 5xx}}
spec: {clusterIP: 10.96.0.2, selector: {app: pay}, ports: [{port: 80}]}`;

/** A pod of no Service with a waypoint. */
const ALONE = `---
apiVersion: v1
kind: Pod
metadata: {name: alone-0, namespace: shop, labels: {app: alone}, annotations: {ambient.istio.io/redirection: enabled}}
spec: {nodeName: n, containers: [{name: a}]}
status: {phase: Running, podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}], conditions: [{type: Ready, status: 'True'}]}`;

function meshedPod(name: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, annotations: {config.linkerd.io/default-inbound-policy: cluster-authenticted}}
spec: {nodeName: n, containers: [{name: a}]}
status: {phase: Running, podIP: 10.0.0.8, podIPs: [{ip: 10.0.0.8}], conditions: [{type: Ready, status: 'True'}]}`;
}

const PLAIN_POD = `
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: shop, annotations: {ambient.istio.io/redirection: enabled}}
spec: {nodeName: n, containers: [{name: a}]}
status: {phase: Running, podIP: 10.0.0.8, podIPs: [{ip: 10.0.0.8}], conditions: [{type: Ready, status: 'True'}]}`;

function linkerdServer(spec: string): string {
  return `
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: s, namespace: shop}
spec: {${spec}}`;
}

function serverRoute(rules: string): string {
  return `
apiVersion: policy.linkerd.io/v1beta3
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec: {parentRefs: [{group: policy.linkerd.io, kind: Server, name: s}], rules: ${rules}}`;
}

function custom(app: string): string {
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec: {selector: {matchLabels: {app: ${app}}}, action: CUSTOM, provider: {name: opa}, rules: [{}]}
${ALONE}`;
}

function attached(kind: string, name: string): string {
  const group = kind === 'Service' ? '""' : 'networking.istio.io';
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec: {targetRefs: [{kind: ${kind}, group: ${group}, name: ${name}}], rules: [{}]}`;
}

/** @param app of the workloads; empty: of all of them */
function ofHttp(app: string, action: string): string {
  const selector = app === '' ? '' : `selector: {matchLabels: {app: ${app}}}, `;
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec: {${selector}action: ${action}, rules: [{from: [{source: {namespaces: [a]}}]}, {to: [{operation: {methods: [GET]}}]}]}
${ALONE}`;
}

function gateway(className: string, protocol: string): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g, namespace: shop}
spec: {gatewayClassName: ${className}, listeners: [{name: mesh, port: 15008, protocol: ${protocol}}]}`;
}

function namespace(mode: string): string {
  return `{apiVersion: v1, kind: Namespace, metadata: {name: other, labels: {istio.io/dataplane-mode: ${mode}}}}`;
}

/** [what it proves, object, what is said; undefined: nothing] */
const ROWS: readonly (readonly [string, string, RegExp | undefined])[] = [
  ['a route of a Service with a waypoint is passed', route('pay'), undefined],
  [
    'a route of a Service without waypoint is not',
    route('plain'),
    /HTTPRoute shop\/r.*spec.parentRefs.*Service shop\/plain uses no waypoint.*label it istio.io\/use-waypoint/,
  ],
  [
    'no more is a VirtualService',
    virtualService('plain', 'v1'),
    /VirtualService shop\/v.*spec.hosts.*Service shop\/plain uses no waypoint/,
  ],
  [
    'nor one of a host outside',
    virtualService('api.vendor.test', 'v1'),
    /VirtualService shop\/v.*spec.hosts.*ServiceEntry shop\/vendor uses no waypoint.*label it istio.io\/use-waypoint/,
  ],
  [
    'nor a route of a ServiceEntry',
    route('vendor').replace('group: "", kind: Service', 'group: networking.istio.io, kind: ServiceEntry'),
    /HTTPRoute shop\/r.*spec.parentRefs.*ServiceEntry shop\/vendor uses no waypoint/,
  ],
  ['a subset that is defined takes its share', virtualService('pay', 'v1'), undefined],
  [
    'one that is not does not',
    virtualService('pay', 'v9'),
    /VirtualService shop\/v.*no DestinationRule defines subset v9 of pay\.shop\.svc\.cluster\.local.*"v9"/,
  ],
  [
    'of a service that is not there one thing is said, and not by us',
    virtualService('pay', 'v1').replace('host: pay, subset', 'host: nobody, subset'),
    undefined,
  ],
  [
    'a subset for connections likewise',
    virtualService('pay', 'v9').replace('http:', 'tcp:'),
    /VirtualService shop\/v.*no DestinationRule defines subset v9/,
  ],
  [
    'a subset of Consul that no resolver defines',
    consul('ServiceRouter', 'pay', '{routes: [{destination: {serviceSubset: v9}}]}'),
    /ServiceRouter shop\/pay.*no ServiceResolver defines subset v9 of pay.*define it in subsets of a ServiceResolver/,
  ],
  [
    'a ServiceProfile of a Service without waypoint',
    PROFILE,
    /ServiceProfile shop\/plain.*Service shop\/plain uses no waypoint/,
  ],
  [
    'a router of Consul',
    consul('ServiceRouter', 'plain', '{routes: [{destination: {service: pay}}]}'),
    /ServiceRouter shop\/plain.*metadata.name.*Service shop\/plain uses no waypoint/,
  ],
  [
    'a resolver of Consul',
    consul('ServiceResolver', 'plain', '{connectTimeout: 1s}'),
    /ServiceResolver shop\/plain.*Service shop\/plain uses no waypoint/,
  ],
  [
    'annotations of Linkerd',
    ANNOTATED,
    /Service shop\/noted.*metadata.annotations.*uses no waypoint that is there: nobody heeds/,
  ],
  [
    'a DestinationRule',
    destinationRule('plain', 'trafficPolicy: {loadBalancer: {simple: RANDOM}}'),
    /DestinationRule shop\/d.*spec.host.*Service shop\/plain uses no waypoint that is there: nobody heeds.*"plain"/,
  ],
  [
    'one that asks for mutual TLS of the mesh has it',
    destinationRule('plain', 'trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}'),
    undefined,
  ],
  [
    'one of many services is for those with a waypoint',
    destinationRule('*.shop.svc.cluster.local', 'trafficPolicy: {loadBalancer: {simple: RANDOM}}'),
    undefined,
  ],
  ['an authorizer is asked where there is a waypoint', custom('pay'), undefined],
  [
    'elsewhere it is not',
    custom('alone'),
    /AuthorizationPolicy shop\/p.*is for shop\/alone-0, which no Service with a waypoint leads to: there nobody is asked.*label its Service/,
  ],
  ['a policy that is attached to a Service with a waypoint holds', attached('Service', 'pay'), undefined],
  [
    'one of a Service without waypoint does not',
    attached('Service', 'plain'),
    /AuthorizationPolicy shop\/p.*spec.targetRefs.*Service shop\/plain uses no waypoint that is there: nobody holds/,
  ],
  [
    'nor one of a ServiceEntry without waypoint',
    attached('ServiceEntry', 'vendor'),
    /ServiceEntry shop\/vendor uses no waypoint/,
  ],
  [
    'nor one of what is not there',
    attached('Service', 'nope'),
    /AuthorizationPolicy shop\/p.*there is no Service shop\/nope: nobody holds.*"nope"/,
  ],
  ['attributes of HTTP are compared where there is a waypoint', ofHttp('pay', 'ALLOW'), undefined],
  [
    'elsewhere they are not: a rule of ALLOW allows nothing',
    ofHttp('alone', 'ALLOW'),
    /AuthorizationPolicy shop\/p.*is for shop\/alone-0.*rules\[1\], which a ztunnel cannot compare.*allow nothing/,
  ],
  [
    'and one of DENY denies more, or nothing',
    ofHttp('alone', 'DENY'),
    /AuthorizationPolicy shop\/p.*rules\[1\], which a ztunnel cannot compare.*deny without that/,
  ],
  [
    'of a policy for a whole namespace, a client that serves nobody is not meant',
    ofHttp('', 'ALLOW'),
    undefined,
  ],
  [
    'no more are tokens verified',
    `${policy('RequestAuthentication', 'alone')}\n${ALONE}`,
    /RequestAuthentication shop\/p.*is for shop\/alone-0.*no token is verified/,
  ],
  ['a policy that selects a pod holds', policy('AuthorizationPolicy', 'pay'), undefined],
  [
    'one that selects nobody does not',
    policy('AuthorizationPolicy', 'pya'),
    /AuthorizationPolicy shop\/p.*spec.selector.*selects no workload: namespace shop has none.*"pya"/,
  ],
  [
    'mTLS modes likewise',
    policy('PeerAuthentication', 'pya'),
    /PeerAuthentication shop\/p.*selects no workload/,
  ],
  [
    'a policy of the root namespace selects in all of them',
    policy('AuthorizationPolicy', 'pay', 'root'),
    undefined,
  ],
  [
    'unless none has such a pod',
    policy('AuthorizationPolicy', 'pya', 'root'),
    /AuthorizationPolicy root\/p.*the mesh has none/,
  ],
  [
    'a waypoint of a class that is misspelt is none',
    gateway('ambient-waypint', 'HBONE'),
    /Gateway shop\/g.*no waypoint is made.*"ambient-waypint".*use ambient-waypoint/,
  ],
  ['a Gateway of somebody else is theirs', gateway('nginx', 'HTTP'), undefined],
  [
    'a mode that is misspelt captures nobody',
    namespace('ambent'),
    /Namespace other.*istio.io\/dataplane-mode.*pods are not captured.*"ambent".*use ambient or none/,
  ],
  ['none is a mode', namespace('none'), undefined],
  [
    'a default of Linkerd that is none',
    `{apiVersion: v1, kind: Namespace, metadata: {name: other, annotations: {config.linkerd.io/default-inbound-policy: allow}}}`,
    /Namespace other.*is none of the values it can have: taken as deny.*"allow".*use one of deny, all-unauthenticated/,
  ],
  [
    'of pods one a namespace is named',
    ['one', 'two'].map(meshedPod).join('\n---'),
    /Pod shop\/one.*taken as deny.*"cluster-authenticted"/,
  ],
  [
    'ports of Linkerd that want an identity and are none',
    `{apiVersion: v1, kind: Namespace, metadata: {name: other, annotations: {config.linkerd.io/proxy-require-identity-inbound-ports: 80..90}}}`,
    /Namespace other.*an identity is asked for at every one.*write such as 8080/,
  ],
  [
    'a Server of Linkerd that selects nothing',
    linkerdServer('podSelector: {matchLabels: {app: none}}, port: 8080'),
    /Server shop\/s.*selects nothing: namespace shop has no pod with these labels and a port 8080/,
  ],
  [
    'a Server whose pods have no such port',
    `${linkerdServer('podSelector: {}, port: admin')}\n---${PLAIN_POD}`,
    /Server shop\/s.*selects nothing.*a port admin/,
  ],
  [
    'a Server for machines that selects nothing',
    linkerdServer('externalWorkloadSelector: {}, port: 8080'),
    /Server shop\/s.*spec.externalWorkloadSelector.*selects nothing: namespace shop has no ExternalWorkload with these/,
  ],
  [
    'a Server beside an older one',
    `${linkerdServer('podSelector: {}, port: 80')}\n---${linkerdServer('podSelector: {}, port: 80').replace('name: s', 'name: t')}\n---${PLAIN_POD}`,
    /Server shop\/t.*does nothing for port 80 of pay-0: Server s is older and decides about it.*let only one/,
  ],
  ['a Server that decides', `${linkerdServer('podSelector: {}, port: 80')}\n---${PLAIN_POD}`, undefined],
  [
    'a Server with routes where no waypoint is',
    `${linkerdServer('podSelector: {}, port: 80')}\n---${serverRoute('[{matches: [{path: {value: /a}}]}]')}\n---${PLAIN_POD}`,
    /Server shop\/s.*has routes, and plain is behind no Service with a waypoint: nobody sees its requests.*istio.io\/use-waypoint/,
  ],
  [
    'a Server whose route is for every request',
    `${linkerdServer('podSelector: {}, port: 80')}\n---${serverRoute('[{}]')}\n---${PLAIN_POD}`,
    undefined,
  ],
  [
    'a Server whose route has filters where no waypoint is',
    `${linkerdServer('podSelector: {}, port: 80')}\n---${serverRoute('[{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x]}}]}]')}\n---${PLAIN_POD}`,
    /Server shop\/s.*plain is behind no Service with a waypoint: nobody sees its requests, and filters are not applied/,
  ],
  [
    'a Server with more matches than can be compared',
    `${linkerdServer('podSelector: {}, port: 80')}\n---${serverRoute(`[${'{}, '.repeat(65)}]`)}\n---${PLAIN_POD}`,
    /Server shop\/s.*its routes have 65 matches, more than the 64 that can be compared: everything is refused/,
  ],
  [
    'a waypoint is no parent of routes',
    route('pay').replace('group: "", kind: Service, name: pay', 'name: waypoint'),
    /HTTPRoute shop\/r.*spec.parentRefs.*is a waypoint.*"waypoint".*name the Service as the parent/,
  ],
];

test('what is well-formed and does nothing is said', t => {
  for (const [name, object, message] of ROWS) {
    const lab = new IndexLab(SHOP, object);
    const found = withoutEffect(lab.index.objects).map(formatDiagnostic);
    if (message === undefined) t.same(found, [], name);
    else {
      t.equal(found.length, 1, name);
      t.match(found[0], message, name);
    }
  }
  t.end();
});

test('a subset of a ServiceResolver is defined, whatever DestinationRules other namespaces have for the service', t => {
  const own = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pay, namespace: shop}
spec: {host: pay.shop.svc.cluster.local}`;
  const foreign = own.replace('namespace: shop', 'namespace: stranger');
  const resolver = consul(
    'ServiceResolver',
    'pay',
    `{subsets: {v9: {filter: 'Service.Meta.version == v9'}}}`,
  );
  const router = consul('ServiceRouter', 'pay', '{routes: [{destination: {serviceSubset: v9}}]}');
  const lab = new IndexLab(SHOP, resolver, router);
  lab.remove(own);
  lab.apply(foreign);
  t.same(withoutEffect(lab.index.objects).map(formatDiagnostic), []);
  t.end();
});

test('with many policies it is found out once which services a workload is behind', t => {
  const asksWith = (policies: number): number => {
    const lab = new IndexLab(SHOP);
    for (let i = 0; i < policies; i++)
      lab.apply(policy('RequestAuthentication', 'pay').replace('{name: p,', `{name: p${i},`));
    const { objects } = lab.index;
    const selecting = objects.servicesSelecting.bind(objects);
    let asks = 0;
    objects.servicesSelecting = (namespace, labels) => {
      asks++;
      return selecting(namespace, labels);
    };
    t.same(withoutEffect(objects).map(formatDiagnostic), [], 'a waypoint serves it');
    return asks;
  };
  const few = asksWith(1);
  t.ok(few > 0);
  t.equal(asksWith(20), few);
  t.end();
});
