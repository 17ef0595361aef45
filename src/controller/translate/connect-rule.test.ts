import { test } from 'tap';
import { compileRoutes } from '#shared/route/match.ts';
import type { RouteRule } from '#shared/route/model.ts';
import { routeRule } from '#shared/testing/route.ts';
import { kubeObject, servicesOf } from '../testing/golden-pairs.ts';
import { translateServiceRouter } from './consul/service-router.ts';
import type { Diagnostic, Translated } from './diagnostic.ts';
import { translateHttpRoute } from './http-route/http-route.ts';
import { translateServiceProfile } from './service-profile/service-profile.ts';
import { translateVirtualService } from './virtual-service/virtual-service.ts';

const SERVICES = servicesOf({ 'shop/squid': [80] });
const ISTIO = { services: SERVICES, clusterDomain: 'cluster.local', delegates: () => undefined };

interface Read {
  readonly rules: readonly RouteRule[];
  readonly said: readonly Diagnostic[];
}

function read<T>(translated: Translated<T>, rulesOf: (value: T) => readonly RouteRule[]): Read {
  if (!translated.ok) throw new Error(JSON.stringify(translated.diagnostics));
  return { rules: rulesOf(translated.value), said: translated.diagnostics };
}

const httpRoute = (rule: object): Read => {
  const backendRefs = [{ name: 'squid', port: 80 }];
  const spec = { parentRefs: [{ group: '', kind: 'Service', name: 'squid' }], rules: [rule] };
  const filled = 'filters' in rule ? spec : { ...spec, rules: [{ backendRefs, ...rule }] };
  return read(translateHttpRoute(kubeObject('HTTPRoute', filled), SERVICES), ({ attachments }) =>
    attachments.flatMap(({ rules }) => rules.map(ranked => ranked.rule)),
  );
};
const virtualService = (entry: object): Read => {
  const route = [{ destination: { host: 'squid' } }];
  const decides = 'directResponse' in entry || 'redirect' in entry;
  const spec = { hosts: ['squid'], http: [decides ? entry : { route, ...entry }] };
  return read(translateVirtualService(kubeObject('VirtualService', spec), ISTIO), ({ attachments }) =>
    attachments.flatMap(({ rules }) => rules),
  );
};
const serviceRouter = (route: object): Read =>
  read(translateServiceRouter(kubeObject('ServiceRouter', { routes: [route] })), ({ routes }) =>
    routes.map(({ matches }) => routeRule({ matches })),
  );
const serviceProfile = (condition: object): Read => {
  const object = kubeObject(
    'ServiceProfile',
    { routes: [{ condition }] },
    { name: 'squid.shop.svc.cluster.local' },
  );
  return read(translateServiceProfile(object, SERVICES), ({ rules }) => rules);
};

/** A rule of each dialect that names it, with what people write, or what is filled in, beside the method. */
const NAMING: readonly (readonly [sentence: string, Read])[] = [
  ['HTTPRoute', httpRoute({ matches: [{ method: 'CONNECT' }] })],
  [
    'HTTPRoute with the path that the API server fills in',
    httpRoute({ matches: [{ method: 'CONNECT', path: { type: 'PathPrefix', value: '/' } }] }),
  ],
  ['VirtualService', virtualService({ match: [{ method: { exact: 'CONNECT' } }] })],
  [
    'VirtualService with a prefix of every path',
    virtualService({ match: [{ method: { exact: 'CONNECT' }, uri: { prefix: '/' } }] }),
  ],
  ['ServiceRouter', serviceRouter({ match: { http: { methods: ['CONNECT'] } } })],
  [
    'ServiceRouter with a prefix of every path',
    serviceRouter({ match: { http: { methods: ['GET', 'CONNECT'], pathPrefix: '/' } } }),
  ],
  ['ServiceProfile', serviceProfile({ method: 'CONNECT' })],
];

const CONNECT = { method: 'CONNECT', scheme: '', authority: 'api.bank.example:443', path: '', headers: [] };

test('a rule of each dialect may name CONNECT', t => {
  for (const [sentence, { rules, said }] of NAMING) {
    t.not(compileRoutes({ rules }).find(CONNECT, 80), undefined, sentence);
    t.same(said, [], sentence);
  }
  t.end();
});

const PROXY_MATCH = [{ method: 'CONNECT' }];
const ISTIO_MATCH = [{ method: { exact: 'CONNECT' } }];
const filter = (fields: object) => httpRoute({ matches: PROXY_MATCH, filters: [fields] });

const IN_VAIN: readonly (readonly [sentence: string, Read, field: string, message: RegExp])[] = [
  [
    'a path of a CONNECT',
    httpRoute({ matches: [{ method: 'CONNECT', path: { value: '/a' } }] }),
    'spec.rules[0].matches[0].path',
    /has no path: the match takes none/,
  ],
  [
    'a query of a CONNECT',
    virtualService({ match: [{ method: { exact: 'CONNECT' }, queryParams: { a: { exact: 'b' } } }] }),
    'spec.http[0].match[0].queryParams',
    /has no query: the match takes none/,
  ],
  [
    'a path of several methods, one of them CONNECT',
    serviceRouter({ match: { http: { methods: ['GET', 'connect'], pathExact: '/' } } }),
    'spec.routes[0].match.http.pathExact',
    /has no path/,
  ],
  [
    'a path of a CONNECT in a condition',
    serviceProfile({ method: 'CONNECT', pathRegex: '/.*' }),
    'spec.routes[0].condition',
    /has no path/,
  ],
  [
    'CONNECT by a pattern',
    virtualService({ match: [{ method: { regex: 'GET|CONNECT' } }] }),
    'spec.http[0].match[0].method.regex',
    /takes no CONNECT/,
  ],
  [
    'a mirror of a CONNECT',
    virtualService({ match: ISTIO_MATCH, mirrors: [{ destination: { host: 'squid' } }] }),
    'spec.http[0].mirrors',
    /copies no CONNECT/,
  ],
  [
    'a rewrite of a CONNECT',
    filter({ type: 'URLRewrite', urlRewrite: { hostname: 'a' } }),
    'spec.rules[0].filters',
    /does not change a CONNECT/,
  ],
  [
    'a host for a CONNECT',
    filter({
      type: 'RequestHeaderModifier',
      requestHeaderModifier: { set: [{ name: 'Host', value: 'a' }] },
    }),
    'spec.rules[0].filters',
    /does not change the host of a CONNECT/,
  ],
  [
    'a redirect of a CONNECT',
    virtualService({ match: ISTIO_MATCH, redirect: { uri: '/' } }),
    'spec.http[0].redirect',
    /answers a CONNECT as well/,
  ],
  [
    'a 2xx in answer to a CONNECT',
    virtualService({ match: ISTIO_MATCH, directResponse: { status: 204 } }),
    'spec.http[0].directResponse',
    /answered with 403/,
  ],
  [
    'a fault of 2xx for a CONNECT',
    virtualService({
      match: ISTIO_MATCH,
      fault: { abort: { httpStatus: 200, percentage: { value: 1 } } },
    }),
    'spec.http[0].fault',
    /answered with 403/,
  ],
  [
    'an authorizer that is asked over HTTP about a CONNECT',
    filter({
      type: 'ExternalAuth',
      externalAuth: { protocol: 'HTTP', backendRef: { name: 'squid', port: 80 }, http: {} },
    }),
    'spec.rules[0].filters',
    /cannot ask over HTTP/,
  ],
];

test('what a rule asks for of a CONNECT in vain is said', t => {
  for (const [sentence, { said }, field, message] of IN_VAIN) {
    const found = said.find(one => one.field === field);
    t.match(found, { message, fix: /./, severity: 'ignored' }, sentence);
  }
  t.end();
});

test('of rules that name no CONNECT none of it is said', t => {
  const rewrite = { type: 'URLRewrite', urlRewrite: { hostname: 'a' } };
  const { said } = httpRoute({ matches: [{ method: 'GET', path: { value: '/a' } }], filters: [rewrite] });
  t.notOk(said.some(({ message }) => message.includes('CONNECT')));
  const refusal = virtualService({ match: ISTIO_MATCH, directResponse: { status: 403 } });
  t.same(refusal.said, [], 'nor of what a CONNECT does get');
  t.end();
});
