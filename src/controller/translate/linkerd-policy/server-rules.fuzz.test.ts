import fc from 'fast-check';
import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { type AuthorizationPolicy, EMPTY_MATCH, type Rule } from '#shared/authz/policy.ts';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { l4Rules } from '../authorization-policy/l4-part.ts';
import type { ClientAuthorization, Requirement } from './client-authorization.ts';
import { translateInboundRoute } from './inbound-route.ts';
import { serverRules } from './server-rules.ts';

/** Who is let in, as one would say it: accounts, if any of them is asked for, and networks with what they leave out. */
interface Client {
  readonly accounts: readonly string[] | undefined;
  readonly networks: readonly { readonly second: number; readonly except: readonly number[] }[] | undefined;
}

interface Match {
  readonly path?: { readonly type: 'Exact' | 'PathPrefix'; readonly value: string };
  readonly method?: string;
  readonly headers?: readonly { readonly name: 'x-a'; readonly value: string }[];
  readonly queryParams?: readonly { readonly name: 'q'; readonly value: string }[];
}

interface Route {
  readonly host: string | undefined;
  readonly matches: readonly Match[];
  readonly clients: readonly Client[];
}

interface Asked {
  readonly account: string | undefined;
  readonly second: number;
  readonly third: number;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly header: string | undefined;
  /** Values of the parameter. */
  readonly query: readonly string[];
}

const client: fc.Arbitrary<Client> = fc.record({
  accounts: fc.option(fc.subarray(['a', 'b']), { nil: undefined }),
  networks: fc.option(
    fc.array(fc.record({ second: fc.constantFrom(0, 1), except: fc.subarray([0, 1]) }), { maxLength: 2 }),
    { nil: undefined },
  ),
});
const match: fc.Arbitrary<Match> = fc.record(
  {
    path: fc.record({
      type: fc.constantFrom('Exact', 'PathPrefix'),
      value: fc.constantFrom('/', '/a', '/a/b', '/ab'),
    }),
    method: fc.constantFrom('GET', 'POST'),
    headers: fc.constant([{ name: 'x-a' as const, value: '1' }]),
    queryParams: fc.constantFrom('1', '2').map(value => [{ name: 'q' as const, value }]),
  },
  { requiredKeys: [] },
);
const route: fc.Arbitrary<Route> = fc.record({
  host: fc.constantFrom(undefined, undefined, 'a.example.com', '*.example.com', '*.com'),
  matches: fc.array(match, { minLength: 1, maxLength: 3 }),
  clients: fc.array(client, { maxLength: 2 }),
});
const asked: fc.Arbitrary<Asked> = fc.record({
  account: fc.constantFrom(undefined, 'a', 'b', 'c'),
  second: fc.constantFrom(0, 1, 2),
  third: fc.constantFrom(0, 1),
  method: fc.constantFrom('GET', 'POST', 'PUT'),
  path: fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/ab', '/abc'),
  host: fc.constantFrom('a.example.com', 'b.example.com', 'example.com', 'payments'),
  header: fc.constantFrom(undefined, '1', '2'),
  query: fc.constantFrom([], [], ['1'], ['2'], ['3'], ['1', '2'], ['2', '1'], ['3', '1'], ['1', '1']),
});

/** Servers differ in which value of a parameter they take: whoever is let in may ask for each. */
function readings(request: Asked): readonly Asked[] {
  return request.query.length < 2 ? [request] : request.query.map(value => ({ ...request, query: [value] }));
}

/** As Linkerd's words have it: the first route that a request meets, and whoever may come there or to the whole Server. */
function isLetIn(server: readonly Client[], routes: readonly Route[], request: Asked): boolean {
  if (routes.length === 0) return server.some(one => isClient(one, request));
  const entries = routes.flatMap((of, index) => of.matches.map(one => ({ of, one, index })));
  const meeting = entries.filter(({ of, one }) => meets(of.host, one, request));
  // Stable: of what is alike the route whose name is the first, and the first match of it.
  const [first] = meeting.toSorted((x, y) => compareRank(rank(x.of, x.one), rank(y.of, y.one)));
  return first !== undefined && [...server, ...first.of.clients].some(one => isClient(one, request));
}

function isClient({ accounts, networks }: Client, { account, second, third }: Asked): boolean {
  const byAccount = accounts === undefined || (account !== undefined && accounts.includes(account));
  const byNetwork =
    networks?.some(network => network.second === second && !network.except.includes(third)) ?? true;
  return byAccount && byNetwork;
}

function meets(
  host: string | undefined,
  { headers = [], method, path, queryParams = [] }: Match,
  request: Asked,
): boolean {
  const byHost =
    host === undefined ||
    (host.startsWith('*') ? request.host.endsWith(host.slice(1)) : request.host === host);
  const prefix = path?.value === '/' ? '' : path?.value;
  const byPath =
    path === undefined ||
    request.path === path.value ||
    (path.type === 'PathPrefix' && request.path.startsWith(`${prefix}/`));
  const byHeader = headers.every(({ value }) => request.header === value);
  const byQuery = queryParams.every(({ value }) => request.query[0] === value);
  return byHost && byPath && byHeader && byQuery && (method === undefined || method === request.method);
}

function rank({ host }: Route, { headers = [], method, path, queryParams = [] }: Match): readonly number[] {
  const isExact = path?.type === 'Exact';
  return [
    host === undefined || host.startsWith('*') ? 0 : host.length,
    host?.length ?? 0,
    Number(isExact),
    isExact ? 0 : (path?.value ?? '/').replace(/\/$/, '').length,
    Number(method !== undefined),
    headers.length,
    queryParams.length,
  ];
}

function compareRank(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (b[at] ?? 0) - (a[at] ?? 0);
}

function authorization({ accounts, networks }: Client): ClientAuthorization {
  const identity: Requirement[] =
    accounts === undefined
      ? []
      : [{ kind: 'identity', principals: accounts.map(a => ({ kind: 'exact', value: `td/ns/n/sa/${a}` })) }];
  const network: Requirement[] =
    networks === undefined
      ? []
      : [
          {
            kind: 'network',
            networks: networks.map(({ except, second }) => ({
              range: { ip: `10.${second}.0.0`, prefixLength: 16 },
              except: except.map(third => ({ ip: `10.${second}.${third}.0`, prefixLength: 24 })),
            })),
          },
        ];
  return [...identity, ...network];
}

function rulesOf(server: readonly Client[], routes: readonly Route[]): readonly Rule[] {
  const parentRefs = [{ group: 'policy.linkerd.io', kind: 'Server', name: 's' }];
  const authorized = routes.map(({ clients, host, matches }, index) => {
    const spec = { parentRefs, rules: [{ matches }], ...(host === undefined ? {} : { hostnames: [host] }) };
    const translated = translateInboundRoute(kubeObject('HTTPRoute', spec, { name: `r${index}` }));
    if (!translated.ok) throw new Error(JSON.stringify(translated.diagnostics));
    return { matches: translated.value.matches, authorizations: clients.map(authorization) };
  });
  // As a Server's policies are made: each rule is for its port.
  const port = { matches: [{ ...EMPTY_MATCH, destinationPorts: [80] }] };
  return serverRules(server.map(authorization), authorized).map(({ clauses }) => ({
    clauses: [port, ...clauses],
  }));
}

function isAllowed(rules: readonly Rule[], request: Asked, atWaypoint: boolean): boolean {
  const policy: AuthorizationPolicy = {
    name: 'server_s_80',
    namespace: 'n',
    scope: 'workload_selector',
    action: 'deny',
    rules,
    dryRun: false,
    provider: undefined,
  };
  const { account, header, host, method, path, query, second, third } = request;
  const connection = authzConnection({
    sourceIdentity: account === undefined ? undefined : `spiffe://td/ns/n/sa/${account}`,
    sourceIp: `10.${second}.${third}.9`,
    destinationIp: '10.9.0.1',
    destinationPort: 80,
  });
  const headers = header === undefined ? [] : ['x-a', header];
  const target = [path, ...query.map((value, i) => `${i === 0 ? '?' : '&'}q=${value}`)].join('');
  const http = { method, path: target, authority: host, headers };
  return evaluate(compile([policy]), connection, atWaypoint ? http : undefined).allowed;
}

const servers = fc.array(client, { maxLength: 2 });
const routeLists = fc.array(route, { maxLength: 3 });

test('a Server refuses whom its words do not let in', t => {
  fc.assert(
    fc.property(servers, routeLists, asked, (server, routes, request) => {
      const rules = rulesOf(server, routes);
      const letIn = isAllowed(rules, request, true);
      const asWords = readings(request).every(one => isLetIn(server, routes, one));
      if (letIn && !asWords) throw new Error('let in');
      // Of several values two may be judged by different rules, which is refused as well.
      if (request.query.length < 2 && letIn !== asWords) throw new Error('they differ');
    }),
    fuzzRun(1),
  );
  t.pass();
  t.end();
});

test('a ztunnel, which sees no request, lets in nobody who would be refused for one', t => {
  fc.assert(
    fc.property(servers, routeLists, asked, (server, routes, request) => {
      const { rules } = l4Rules('deny', rulesOf(server, routes));
      const letIn = isAllowed(rules, request, false);
      if (letIn && !readings(request).every(one => isLetIn(server, routes, one))) throw new Error('let in');
      if (routes.length === 0 && letIn !== isLetIn(server, routes, request)) throw new Error('they differ');
    }),
    fuzzRun(1),
  );
  t.pass();
  t.end();
});
