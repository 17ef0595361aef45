import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { ApiServer } from '../../src/controller/testing/api-server.ts';
import { installCrds } from '../../src/controller/testing/crds.ts';
import { cannotRunApiServer } from '../../src/controller/testing/kube-binaries.ts';
import { findHelm, runHelm } from './helm.ts';

const helm = findHelm() ?? 'helm';
const skip = cannotRunApiServer() || (findHelm() === undefined && 'needs helm on PATH');

const DEFINITIONS = 'charts/base/files/crds';
/** What the controller's own tests and examples hold has to be accepted by the definitions. */
const OBJECTS = ['src/controller/translate/**/testdata/*-in.yaml', 'examples/**/*.yaml'];

/** `group/kind` → plural, of the definitions. */
function plurals(): ReadonlyMap<string, string> {
  const found = globSync(`${DEFINITIONS}/*.yaml`).map(file => {
    const crd: unknown = parse(readFileSync(file, 'utf8'), { maxAliasCount: -1 });
    const spec = isJsonObject(crd) && isJsonObject(crd['spec']) ? crd['spec'] : {};
    const names = isJsonObject(spec['names']) ? spec['names'] : {};
    return [`${String(spec['group'])}/${String(names['kind'])}`, String(names['plural'])] as const;
  });
  return new Map(found);
}

const PLURALS = plurals();

/** Where an object of ours would be made; undefined when it is of another kind. */
function collectionOf(object: JsonObject): string | undefined {
  const [group = '', version = ''] = String(object['apiVersion']).split('/');
  const plural = PLURALS.get(`${group}/${String(object['kind'])}`);
  return plural === undefined ? undefined : `/apis/${group}/${version}/namespaces/default/${plural}`;
}

async function refusal(server: ApiServer, object: JsonObject): Promise<string | undefined> {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  try {
    await server.client.request({
      method: 'POST',
      path: collectionOf(object) ?? '',
      query: { dryRun: 'All', fieldValidation: 'Strict' },
      body: { ...object, metadata: { ...metadata, namespace: 'default' } },
    });
    return undefined;
  } catch (error) {
    if (error instanceof KubeError) return error.message;
    throw error;
  }
}

const rule = (source: JsonObject): JsonObject => ({ from: [{ source }] });

/** Sentence, object without its name, what the API server says. */
const WRONG: readonly (readonly [
  sentence: string,
  apiVersion: string,
  kind: string,
  spec: JsonObject,
  says: RegExp,
])[] = [
  [
    'an action nobody knows',
    'security.istio.io/v1',
    'AuthorizationPolicy',
    { action: 'REFUSE' },
    /supported values: "ALLOW"/,
  ],
  [
    'a source nobody knows',
    'security.istio.io/v1',
    'AuthorizationPolicy',
    { rules: [rule({ principal: ['a'] })] },
    /unknown field "spec.rules\[0\].from\[0\].source.principal"/,
  ],
  [
    'accounts and principals',
    'security.istio.io/v1beta1',
    'AuthorizationPolicy',
    { rules: [rule({ principals: ['a'], serviceAccounts: ['b'] })] },
    /cannot be set together/,
  ],
  [
    'selector and targetRefs',
    'security.istio.io/v1',
    'AuthorizationPolicy',
    { selector: {}, targetRefs: [{ kind: 'Service', name: 'a' }] },
    /only one of selector/,
  ],
  [
    'an mTLS mode',
    'security.istio.io/v1',
    'PeerAuthentication',
    { mtls: { mode: 'STRICKT' } },
    /mode: Unsupported value/,
  ],
  [
    'ports without a selector',
    'security.istio.io/v1',
    'PeerAuthentication',
    { portLevelMtls: { '80': { mode: 'STRICT' } } },
    /needs a selector/,
  ],
  [
    'a rule without issuer',
    'security.istio.io/v1',
    'RequestAuthentication',
    { jwtRules: [{}] },
    /without an issuer one of jwks and jwksUri/,
  ],
  [
    'a sampling above all',
    'telemetry.istio.io/v1',
    'Telemetry',
    { tracing: [{ randomSamplingPercentage: 101 }] },
    /less than or equal to 100/,
  ],
  [
    'a destination without host',
    'networking.istio.io/v1',
    'VirtualService',
    { hosts: ['a'], http: [{ route: [{ destination: {} }] }] },
    /host: Required value/,
  ],
  [
    'two ways to match',
    'networking.istio.io/v1beta1',
    'VirtualService',
    { hosts: ['a'], http: [{ match: [{ uri: { exact: '/', prefix: '/' } }] }] },
    /must have at most 1 item/,
  ],
  [
    'a timeout in words',
    'networking.istio.io/v1alpha3',
    'VirtualService',
    { hosts: ['a'], http: [{ timeout: 'long' }] },
    /timeout: Invalid value/,
  ],
  ['no host', 'networking.istio.io/v1', 'DestinationRule', {}, /host: Required value/],
  [
    'a balancer',
    'networking.istio.io/v1',
    'DestinationRule',
    { host: 'a', trafficPolicy: { loadBalancer: { simple: 'BEST' } } },
    /simple: Unsupported value/,
  ],
  [
    'a port above all',
    'networking.istio.io/v1',
    'ServiceEntry',
    { hosts: ['a'], ports: [{ number: 70_000, name: 'x' }] },
    /number: Invalid value/,
  ],
  [
    'neither address nor network',
    'networking.istio.io/v1',
    'WorkloadEntry',
    { labels: {} },
    /address or network is needed/,
  ],
  [
    'a route without condition',
    'linkerd.io/v1alpha2',
    'ServiceProfile',
    { routes: [{ name: 'a' }] },
    /condition: Required value/,
  ],
  [
    'a rate of none',
    'policy.linkerd.io/v1alpha1',
    'HTTPLocalRateLimitPolicy',
    { targetRef: { group: 'policy.linkerd.io', kind: 'Server', name: 'a' }, total: { requestsPerSecond: 0 } },
    /requestsPerSecond: Invalid value/,
  ],
  ['no port', 'policy.linkerd.io/v1beta3', 'Server', { podSelector: {} }, /port: Required value/],
  [
    'an access policy nobody knows',
    'policy.linkerd.io/v1beta3',
    'Server',
    { podSelector: {}, port: 80, accessPolicy: 'all-authentcated' },
    /accessPolicy: Unsupported value/,
  ],
  [
    'no authentications',
    'policy.linkerd.io/v1alpha1',
    'AuthorizationPolicy',
    { targetRef: { kind: 'Namespace', name: 'a' } },
    /requiredAuthenticationRefs: Required value/,
  ],
  [
    'an account without a kind',
    'policy.linkerd.io/v1alpha1',
    'MeshTLSAuthentication',
    { identityRefs: [{ name: 'a' }] },
    /kind: Required value/,
  ],
  [
    'a network without a range',
    'policy.linkerd.io/v1alpha1',
    'NetworkAuthentication',
    { networks: [{ except: [] }] },
    /cidr: Required value/,
  ],
  [
    'a Server by name and by labels',
    'policy.linkerd.io/v1beta1',
    'ServerAuthorization',
    { server: { name: 'a', selector: {} }, client: { unauthenticated: true } },
    /must validate one and only one schema/,
  ],
  [
    'a machine without identity',
    'workload.linkerd.io/v1beta1',
    'ExternalWorkload',
    { meshTLS: { serverName: 'a' }, workloadIPs: [{ ip: '192.0.2.1' }] },
    /identity: Required value/,
  ],
  [
    'a method nobody knows',
    'policy.linkerd.io/v1beta2',
    'HTTPRoute',
    { rules: [{ matches: [{ method: 'FETCH' }] }] },
    /method: Unsupported value/,
  ],
  [
    'an intention',
    'consul.hashicorp.com/v1alpha1',
    'ServiceIntentions',
    { sources: [{ name: 'a', action: 'permit' }] },
    /action: Unsupported value/,
  ],
  [
    'a token of a provider without a name',
    'consul.hashicorp.com/v1alpha1',
    'ServiceIntentions',
    { jwt: { providers: [{ verifyClaims: [] }] } },
    /providers\[0\].name: Required/,
  ],
  [
    'a provider of tokens without an issuer',
    'consul.hashicorp.com/v1alpha1',
    'JWTProvider',
    { jsonWebKeySet: { remote: { uri: 'https://a' } } },
    /issuer: Required/,
  ],
  [
    'retries below none',
    'consul.hashicorp.com/v1alpha1',
    'ServiceRouter',
    { routes: [{ destination: { numRetries: -1 } }] },
    /numRetries: Invalid value/,
  ],
  [
    'more than all',
    'consul.hashicorp.com/v1alpha1',
    'ServiceSplitter',
    { splits: [{ weight: 101 }] },
    /weight: Invalid value/,
  ],
  [
    'a hash of nothing',
    'consul.hashicorp.com/v1alpha1',
    'ServiceResolver',
    { loadBalancer: { hashPolicies: [{ field: 'body' }] } },
    /field: Unsupported value/,
  ],
];

test('resource definitions in a real API server', { skip }, async t => {
  const server = await ApiServer.start();
  t.teardown(() => server.close());
  // As helm writes them, without the aliases that keep the files short.
  const rendered = mkdtempSync(join(tmpdir(), 'ambient-crds-'));
  t.teardown(() => rmSync(rendered, { recursive: true }));
  writeFileSync(
    join(rendered, 'crds.yaml'),
    runHelm(helm, ['template', 'x', 'charts/base', '--set', 'crds.namesakes=true']).stdout,
  );
  await installCrds(server.client, rendered);
  await server.client
    .request({
      method: 'POST',
      path: '/api/v1/namespaces',
      body: { metadata: { name: 'default' } },
    })
    .catch(() => undefined);

  let seen = 0;
  for (const file of globSync(OBJECTS).sort()) {
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
      const object: unknown = document.toJS();
      if (!isJsonObject(object) || collectionOf(object) === undefined) continue;
      seen++;
      const name = isJsonObject(object['metadata']) ? String(object['metadata']['name']) : '';
      t.equal(await refusal(server, object), undefined, `${file}: ${String(object['kind'])} ${name}`);
    }
  }
  t.ok(seen > 15, `${seen} objects were tried`);

  for (const [sentence, apiVersion, kind, spec, says] of WRONG) {
    const said = await refusal(server, { apiVersion, kind, metadata: { name: 'wrong' }, spec });
    t.match(said, says, `${kind}: ${sentence}`);
  }
  const kinds = WRONG.map(([, apiVersion, kind]) => `${apiVersion.split('/', 1)[0]}/${kind}`);
  t.equal(new Set(kinds).size, PLURALS.size, 'every kind has a wrong object here');
});
