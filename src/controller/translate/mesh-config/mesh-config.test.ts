import { test } from 'tap';
import { kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateMeshConfig } from './mesh-config.ts';

const OPTIONS = {
  rootNamespace: 'istio-system',
  clusterDomain: 'cluster.local',
  trustDomain: 'mesh.test',
  services: servicesOf({ 'auth/opa': [9191] }),
};

function translate(mesh: string, name = 'istio', namespace = 'istio-system') {
  const object = kubeObject('ConfigMap', undefined, { name, namespace });
  return translateMeshConfig({ ...object, body: { data: { mesh } } }, OPTIONS);
}

const provider = (fields: string): string => `extensionProviders: [{name: opa, ${fields}}]`;
const HOST = 'service: auth/opa.auth.svc.cluster.local, port: 9191';

test('providers of external authorization', async t => {
  const grpc = translate(provider(`envoyExtAuthzGrpc: {${HOST}}`));
  t.match(grpc, {
    ok: true,
    value: {
      authorizers: [
        {
          name: 'opa',
          protocol: 'grpc',
          service: 'auth/opa.auth.svc.cluster.local',
          port: 9191,
          timeoutMs: 600_000,
          failOpen: false,
          statusOnError: 403,
          maxBodyBytes: 0,
        },
      ],
    },
    diagnostics: [],
  });
  const http = translate(
    provider(`envoyExtAuthzHttp: {${HOST}, timeout: 2s, failOpen: true, statusOnError: "503", pathPrefix: /check,
      includeRequestHeadersInCheck: [X-User, "x-b-*"], includeAdditionalHeadersInCheck: {x-from: mesh},
      includeRequestBodyInCheck: {maxRequestBytes: 1024, allowPartialMessage: true, packAsBytes: true},
      headersToUpstreamOnAllow: [x-id], headersToDownstreamOnAllow: ["*-seen"], headersToDownstreamOnDeny: [location]}`),
  );
  t.match(http, {
    ok: true,
    value: {
      authorizers: [
        {
          protocol: 'http',
          timeoutMs: 2000,
          failOpen: true,
          statusOnError: 503,
          pathPrefix: '/check',
          maxBodyBytes: 1024,
          allowPartialBody: true,
          bodyAsBytes: true,
          requestHeaders: [
            { kind: 'exact', value: 'x-user' },
            { kind: 'prefix', value: 'x-b-' },
          ],
          addedHeaders: [{ name: 'x-from', value: 'mesh' }],
          headersToUpstream: [{ kind: 'exact', value: 'x-id' }],
          headersToDownstreamOnAllow: [{ kind: 'suffix', value: '-seen' }],
          headersToDownstreamOnDeny: [{ kind: 'exact', value: 'location' }],
        },
      ],
    },
    diagnostics: [],
  });
});

test('a number in quotes is a number, as in Istio’s own examples', async t => {
  const result = translate(
    provider(`envoyExtAuthzHttp: {service: auth/opa.auth.svc.cluster.local, port: "9191",
      includeRequestBodyInCheck: {maxRequestBytes: "1024"}}`),
  );
  t.match(result, {
    ok: true,
    value: { authorizers: [{ port: 9191, maxBodyBytes: 1024 }] },
    diagnostics: [],
  });
});

const UNHEEDED: readonly [string, string, string, RegExp][] = [
  [
    'hosts that nobody declared are not to be reached',
    'outboundTrafficPolicy: {mode: REGISTRY_ONLY}',
    'outboundTrafficPolicy',
    /can be reached/,
  ],
  ['another trust domain', 'trustDomain: corp.test', 'trustDomain', /is not that of this mesh, mesh\.test/],
  ['aliases of the trust domain', 'trustDomainAliases: [old.test]', 'trustDomainAliases', /are not known/],
  ['localities', 'localityLbSetting: {enabled: true}', 'localityLbSetting', /only DestinationRules/],
  ['retries', 'defaultHttpRetryPolicy: {attempts: 0}', 'defaultHttpRetryPolicy', /as by default/],
  ['a time to connect', 'connectTimeout: 3s', 'connectTimeout', /is not read/],
  ['keepalive', 'tcpKeepalive: {time: 10s}', 'tcpKeepalive', /is not read/],
  [
    'some namespaces alone',
    'discoverySelectors: [{matchLabels: {a: b}}]',
    'discoverySelectors',
    /every namespace/,
  ],
  [
    'who knows of objects',
    'defaultVirtualServiceExportTo: [".", "shop"]',
    'defaultVirtualServiceExportTo',
    /for their own namespace/,
  ],
  ['where logs go', 'defaultProviders: {accessLogging: [a]}', 'defaultProviders', /without a Telemetry/],
];

const NORMALIZATIONS: readonly [mesh: string, normalization: string, said: RegExp | undefined][] = [
  ['{}', 'base', undefined],
  ['pathNormalization: {}', 'base', undefined],
  ['pathNormalization: {normalization: DEFAULT}', 'base', undefined],
  ['pathNormalization: {normalization: BASE}', 'base', undefined],
  ['pathNormalization: {normalization: MERGE_SLASHES}', 'merge_slashes', undefined],
  ['pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}', 'decode_and_merge_slashes', undefined],
  [
    'pathNormalization: {normalization: NONE}',
    'base',
    /is not done: policies would compare paths that servers read in another way/,
  ],
  ['pathNormalization: {normalization: Merge}', 'base', /is not one of the values it can have/],
  ['pathNormalization: MERGE_SLASHES', 'base', /is not one of the values it can have/],
  ['pathNormalization: {normalization: 2}', 'base', /is not one of the values it can have/],
];

test('what is made of paths; a value that is not done leaves the rest in force', async t => {
  for (const [mesh, pathNormalization, said] of NORMALIZATIONS) {
    const result = translate(mesh);
    t.match(result, { ok: true, value: { pathNormalization } }, mesh);
    if (said === undefined) t.same(result.diagnostics, [], mesh);
    else
      t.match(result.diagnostics, [
        {
          severity: 'ignored',
          field: 'data.mesh.pathNormalization',
          message: said,
          fix: /MERGE_SLASHES/,
        },
      ]);
  }
});

test('what the configuration asks for in vain is said', async t => {
  for (const [name, mesh, field, message] of UNHEEDED) {
    const { diagnostics, ok } = translate(mesh);
    t.equal(ok, true, name);
    t.match(diagnostics, [{ severity: 'ignored', field: `data.mesh.${field}`, message }], name);
  }
  const usual = translate(
    'trustDomain: mesh.test\nrootNamespace: istio-system\noutboundTrafficPolicy: {mode: ALLOW_ANY}\n' +
      'defaultProviders: {metrics: [prometheus]}\ndefaultConfig: {discoveryAddress: istiod.istio-system.svc:15012}',
  );
  t.same(usual.diagnostics, [], 'of an installation that asks for nothing more: nothing');
});

test('what means nothing to waypoints is passed over', async t => {
  const other = translate(
    'accessLogFile: /dev/stdout\nextensionProviders: [{name: otel, opentelemetry: {port: 1}}]',
  );
  t.match(other, { ok: true, value: { authorizers: [] }, diagnostics: [] });
  t.match(translate(provider(`envoyExtAuthzGrpc: {${HOST}}`), 'other').diagnostics, []);
  t.match(translate(provider(`envoyExtAuthzGrpc: {${HOST}}`), 'istio', 'shop'), {
    value: { authorizers: [] },
  });
  t.match(translate(''), { ok: true, value: { authorizers: [] } });
});

const AT = 'data.mesh.extensionProviders[0]';
const WRONG: readonly [string, string, string, RegExp][] = [
  ['no YAML', 'a: [', 'data.mesh', /is no YAML/],
  ['a provider without a name', 'extensionProviders: [{}]', `${AT}.name`, /is required/],
  ['a provider of an unknown kind', provider('opa: {}'), `${AT}.opa`, /no field of this object/],
  [
    'a provider without a service',
    provider('envoyExtAuthzGrpc: {port: 1}'),
    `${AT}.envoyExtAuthzGrpc.service`,
    /is required/,
  ],
  [
    'a provider without a port',
    provider('envoyExtAuthzGrpc: {service: opa.auth.svc.cluster.local}'),
    `${AT}.envoyExtAuthzGrpc.port`,
    /is required/,
  ],
  [
    'a port out of range, in quotes',
    provider('envoyExtAuthzGrpc: {service: opa.auth.svc.cluster.local, port: "70000"}'),
    `${AT}.envoyExtAuthzGrpc.port`,
    /whole number from 1 to 65535/,
  ],
  [
    'a status that is none',
    provider(`envoyExtAuthzHttp: {${HOST}, statusOnError: "999"}`),
    `${AT}.envoyExtAuthzHttp.statusOnError`,
    /no HTTP status/,
  ],
  [
    'a body without its length',
    provider(`envoyExtAuthzHttp: {${HOST}, includeRequestBodyInCheck: {}}`),
    `${AT}.envoyExtAuthzHttp.includeRequestBodyInCheck.maxRequestBytes`,
    /is required/,
  ],
];

test('a wrong configuration of the mesh is rejected with the field that is wrong', async t => {
  for (const [name, mesh, field, message] of WRONG) {
    const result = translate(mesh);
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { field, message, severity: 'rejected' }, name);
  }
});

test('a provider whose service does not exist is said, and refuses what is given to it', async t => {
  const result = translate(provider('envoyExtAuthzGrpc: {service: nobody.auth.svc.cluster.local, port: 1}'));
  t.match(result, { ok: true, value: { authorizers: [] } });
  t.match(result.diagnostics[0], { severity: 'ignored', message: /policies give to opa are refused/ });
});
