import { test } from 'tap';
import { ANY_HTTP_REQUEST } from '#shared/authz/policy.ts';
import type { ExternalAuthorizer } from '#shared/route/external-authorizer.ts';
import type { ServiceRoutes } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import { externalAuthorizer } from '#shared/testing/external-authorizer.ts';
import { noRoutes, policy } from '#shared/testing/topology.ts';
import { routeRule } from '#shared/testing/route.ts';
import { type Ask, ask, backend, deploy } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

/** One that cannot be asked: it refuses with a status that tells it from the others. */
function authorizer(name: string, statusOnError: number): ExternalAuthorizer {
  return externalAuthorizer('default/nobody', { name, protocol: 'http', timeoutMs: 1_000, statusOnError });
}

const EMPTY = { maxTokens: 0, tokensPerFill: 1, fillIntervalMs: 3_600_000 };
const FILTERS: readonly (readonly [answer: string, RouteFilter])[] = [
  ['417 UAEX', { kind: 'external_authorization', authorizer: authorizer('of-the-rule', 417) }],
  [
    '430 RL',
    {
      kind: 'local_rate_limit',
      limit: { total: EMPTY, identity: undefined, overrides: [], status: 430, sharedAs: undefined },
    },
  ],
  [
    '500 RLSE',
    {
      kind: 'global_rate_limit',
      limit: {
        service: 'default/nobody',
        port: 80,
        domain: 'd',
        descriptors: [[{ kind: 'path' }]],
        timeoutMs: 1_000,
        failOpen: false,
      },
    },
  ],
  [
    '418 FI',
    {
      kind: 'fault',
      fault: { delay: undefined, abort: { percent: 100, with: { kind: 'http_status', status: 418 } } },
    },
  ],
  ['299 -', { kind: 'direct_response', status: 299, body: '', headers: [] }],
];
const CORS: RouteFilter = {
  kind: 'cors',
  cors: {
    allowOrigins: [{ kind: 'wildcard', value: '*' }],
    allowMethods: ['PUT'],
    allowHeaders: [],
    exposeHeaders: [],
    maxAgeMs: undefined,
    allowCredentials: false,
    unmatchedPreflights: 'forward',
  },
};
const BAD_TOKEN: Ask = {
  method: 'OPTIONS',
  headers: { origin: 'https://a', 'access-control-request-method': 'PUT', authorization: 'Bearer x' },
};

/** Of a step each, in their order: what is taken away for the request to come to the next one. */
test('steps refuse in the order of docs/filters.md, however the filters of a rule are listed', async t => {
  const mesh = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => mesh.close());
  const { echo, port } = await deploy(mesh, [(_, res) => void res.end()]);
  const filters = [CORS, ...FILTERS.map(([, filter]) => filter)];
  let routes: Partial<ServiceRoutes> = {
    tokenIssuers: [
      {
        name: 'default/tokens',
        issuer: 'https://issuer',
        audiences: [],
        keys: { kind: 'inline', jwks: '{"keys":[]}' },
        from: [{ kind: 'header', name: 'authorization', prefix: 'Bearer ' }],
        forwardOriginal: false,
        outputPayloadToHeader: undefined,
        outputClaimToHeaders: [],
        timeoutMs: 1_000,
        clockSkewMs: 60_000,
        requiredClaims: [],
        spaceDelimitedClaims: [],
        required: false,
      },
    ],
    authorizers: [authorizer('of-the-policy', 416)],
    authorizationPolicies: [
      policy('deny', 'deny', [{ http: { ...ANY_HTTP_REQUEST, methods: [{ kind: 'exact', value: 'GET' }] } }]),
      policy('custom', 'custom', [{}], { provider: 'of-the-policy' }),
    ],
  };
  const seen: string[] = [];
  const answered = async (request: Ask): Promise<string> => {
    const rule = routeRule({ filters: filters.toReversed(), backends: [backend(echo)] });
    mesh.apply({ routes: [noRoutes(echo, { rules: [rule], ...routes })] });
    const { status } = await ask(port, request);
    const [line = ''] = (await mesh.access(seen.length + 1)).slice(-1);
    const answer = `${status} ${/response_flags="([^"]*)"/.exec(line)?.[1] ?? '?'}`;
    seen.push(answer);
    return answer;
  };
  t.equal(await answered(BAD_TOKEN), '200 -', 'a preflight');
  filters.shift();
  t.equal(await answered(BAD_TOKEN), '401 UAEX', 'a token');
  routes = { ...routes, tokenIssuers: [] };
  t.equal(await answered({}), '416 UAEX', 'the authorizer of a policy');
  routes = { ...routes, authorizationPolicies: routes.authorizationPolicies?.slice(0, 1) ?? [] };
  t.equal(await answered({}), '403 UAEX', 'a policy');
  routes = { ...routes, authorizationPolicies: [] };
  for (const [answer, { kind }] of FILTERS) {
    t.equal(await answered({}), answer, kind);
    filters.shift();
  }
  t.equal(await answered({}), '200 -', 'nothing is left that refuses');
});
