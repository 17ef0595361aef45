import { test } from 'tap';
import { routeRule } from '#shared/testing/route.ts';
import { kubeObject, servicesOf } from '../testing/golden-pairs.ts';
import { withRateLimit } from './rate-limit-annotation.ts';

const CONTEXT = {
  namespace: 'shop',
  clusterDomain: 'cluster.local',
  services: servicesOf({ 'shop/limits': [8081] }),
};

function limit(text: string) {
  const annotations = { 'ambient.mesh/rate-limit': text };
  const object = kubeObject('HTTPRoute', undefined, { annotations });
  const { diagnostics, rules } = withRateLimit(object, [routeRule({ name: 'r' })], CONTEXT);
  return { diagnostics, filters: rules[0]?.filters ?? [] };
}

const global = (fields: string): string => `global: {service: limits, port: 8081, domain: shop, ${fields}}`;
const entries = (list: string): string => global(`descriptors: [{entries: [${list}]}]`);
const bucket = (perSecond: number): object => ({
  maxTokens: perSecond,
  tokensPerFill: perSecond / 10,
  fillIntervalMs: 100,
});
const LIMIT = 'shop/limits.shop.svc.cluster.local';

const ROWS: readonly [string, string, readonly object[]][] = [
  [
    'of all requests',
    'local: {requestsPerSecond: 100}',
    [{ kind: 'local_rate_limit', limit: { total: bucket(100), identity: undefined, status: 429 } }],
  ],
  [
    'of each source identity',
    'local: {perIdentity: 5}',
    [{ kind: 'local_rate_limit', limit: { total: undefined, identity: bucket(5) } }],
  ],
  [
    'a rule has buckets of its own',
    'local: {requestsPerSecond: 100, perIdentity: 5}',
    [{ limit: { total: bucket(100), identity: bucket(5), sharedAs: undefined } }],
  ],
  [
    'a service that is asked, with its defaults',
    entries('{attribute: remote_address}'),
    [
      {
        kind: 'global_rate_limit',
        limit: { service: LIMIT, port: 8081, domain: 'shop', timeoutMs: 20, failOpen: true },
      },
    ],
  ],
  [
    'what requests are told apart by',
    entries('{key: a, value: b}, {key: user, header: X-User}, {attribute: source_identity}'),
    [
      {
        limit: {
          descriptors: [
            [
              { kind: 'generic', key: 'a', value: 'b' },
              { kind: 'header', key: 'user', header: 'x-user' },
              { kind: 'source_identity' },
            ],
          ],
        },
      },
    ],
  ],
  [
    'the other attributes, and a host that is written out',
    `global:
  service: limits.shop.svc.cluster.local
  port: 8081
  domain: d
  timeout: 50ms
  failOpen: false
  descriptors:
    - entries: [{attribute: destination_service}]
    - entries: [{attribute: method}, {attribute: path}]`,
    [
      {
        limit: {
          descriptors: [[{ kind: 'service' }], [{ kind: 'method' }, { kind: 'path' }]],
          timeoutMs: 50,
          failOpen: false,
        },
      },
    ],
  ],
  [
    'both',
    `local: {requestsPerSecond: 1}\n${entries('{attribute: path}')}`,
    [{ kind: 'local_rate_limit' }, { kind: 'global_rate_limit' }],
  ],
];

test('the limits of a rule', async t => {
  for (const [name, text, expected] of ROWS) {
    const { diagnostics, filters } = limit(text);
    t.same(diagnostics, [], name);
    t.equal(filters.length, expected.length, name);
    t.match(filters, expected, name);
  }
});

const WRONG: readonly [string, string, string, RegExp][] = [
  ['no YAML', 'local: {', '', /is no YAML/],
  ['a text', 'ten', '', /is no object/],
  ['nothing', '{}', '.local', /is required, or global/],
  ['a misspelt field', 'locl: {}', '.local', /is required/],
  ['no number', 'local: {}', '.local.requestsPerSecond', /is required, or perIdentity/],
  ['no requests at all', 'local: {requestsPerSecond: 0}', '.local.requestsPerSecond', /from 1 to/],
  [
    'more for one than for all',
    'local: {requestsPerSecond: 1, perIdentity: 2}',
    '.local.perIdentity',
    /more than the 1 of all/,
  ],
  ['no service', 'global: {port: 1, domain: d, descriptors: []}', '.global.service', /is required/],
  [
    'a service that is not there',
    'global: {service: nobody, port: 1, domain: d, descriptors: [{entries: [{attribute: path}]}]}',
    '.global.service',
    /no service nobody.shop.svc.cluster.local: nothing is limited by it/,
  ],
  [
    'a port it has not',
    'global: {service: limits, port: 1, domain: d, descriptors: [{entries: [{attribute: path}]}]}',
    '.global.port',
    /no such port/,
  ],
  ['no descriptor', global('descriptors: []'), '.global.descriptors', /is required/],
  ['an empty descriptor', global('descriptors: [{}]'), '.global.descriptors[0].entries', /is required/],
  ['an entry of nothing', entries('{key: a}'), '.global.descriptors[0].entries[0].value', /only one of them/],
  [
    'an entry of two things',
    entries('{key: a, value: b, header: c}'),
    '.global.descriptors[0].entries[0].value',
    /only one of them/,
  ],
  [
    'an attribute that is none',
    entries('{attribute: age}'),
    '.global.descriptors[0].entries[0].attribute',
    /values it can have/,
  ],
  [
    'a header that is none',
    entries('{key: a, header: "a b"}'),
    '.global.descriptors[0].entries[0].header',
    /no header name/,
  ],
];

test('a wrong annotation is said, and limits nothing', async t => {
  for (const [name, text, field, message] of WRONG) {
    const { diagnostics, filters } = limit(text);
    t.same(filters, [], name);
    const at = `metadata.annotations.ambient.mesh/rate-limit${field}`;
    t.match(diagnostics[0], { field: at, message, severity: 'ignored', fix: /./ }, name);
  }
});
