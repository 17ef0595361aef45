import { ANY_REQUEST, PLAIN_RULE, type RouteMatch } from '#shared/route/model.ts';
import { comparePrecedence, type RankedMatch } from '#shared/route/precedence.ts';
import { keyOf, type KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { EVERY_CALL, readGrpcMatch } from '../grpc-route/match.ts';
import { readMatch } from '../http-route/match.ts';
import { objectAt, objectsAt, textAt } from '../loose-fields.ts';
import { readInboundFilters } from './inbound-filter.ts';
import { POLICY_GROUP } from './reference.ts';
import { type RequestCondition, requestCondition } from './request-condition.ts';

/**
 * A route as its Servers see it: which requests it is for, that policies may name them, and what is done to those that are let in.
 * Where to is not theirs to say.
 */
export interface InboundRoute {
  /** In the route's namespace. */
  readonly servers: readonly string[];
  /** Of gRPC: for Servers of protocol gRPC alone. */
  readonly isGrpc: boolean;
  readonly matches: readonly InboundMatch[];
}

export interface InboundMatch {
  /** Its rule is that of this match alone. */
  readonly rank: RankedMatch;
  readonly condition: RequestCondition;
}

/** As Gateway API orders routes: the first that a request meets is its route. */
export function byPrecedence(a: InboundMatch, b: InboundMatch): number {
  return comparePrecedence(a.rank, b.rank);
}

/** Names of the Servers that are parents, whatever else is right or wrong with the route. */
export function serverParents(route: KubeObject): readonly string[] {
  return objectsAt(objectAt(route.spec), 'parentRefs')
    .filter(ref => textAt(ref, 'group') === POLICY_GROUP && textAt(ref, 'kind') === 'Server')
    .flatMap(ref => textAt(ref, 'name') ?? []);
}

export function isGrpcRoute({ kind }: KubeObject): boolean {
  return kind === 'GRPCRoute';
}

/** HTTPRoute (of either group) or GRPCRoute with Servers as parents. What it says for others is read elsewhere. */
export function translateInboundRoute(route: KubeObject): Translated<InboundRoute> {
  const diagnostics = new Diagnostics(route);
  const servers = serverParents(route);
  const isGrpc = isGrpcRoute(route);
  const read =
    servers.length === 0 ? undefined : readSpec(route, diagnostics, spec => readRoute(spec, route));
  return diagnostics.conclude({ servers, isGrpc, matches: read ?? [] });
}

function readRoute(spec: Fields, route: KubeObject): readonly InboundMatch[] {
  const parents = spec.objects('parentRefs', fields => readParent(fields, route.metadata.namespace));
  const isForServersAlone = parents.every(isServer => isServer);
  spec.has('useDefaultGateways');
  const named = spec.strings('hostnames').map(name => name.toLowerCase());
  const hosts = named.length === 0 ? [undefined] : named;
  return spec
    .objects('rules', (fields, index) => readRule(fields, index, { route, hosts, isForServersAlone }))
    .flat();
}

function readParent(fields: Fields, ownNamespace: string): boolean {
  const isServer = fields.raw('group') === POLICY_GROUP && fields.raw('kind') === 'Server';
  if (!isServer) fields.leave();
  else {
    for (const key of ['group', 'kind', 'name']) fields.string(key);
    if ((fields.string('namespace') ?? ownNamespace) !== ownNamespace)
      fields.reject('namespace', 'is another namespace than the route’s', 'attach it to a Server of its own');
    fields.refused('port', 'remove it: a Server is one port');
    fields.refused('sectionName', 'remove it: a Server is one port');
  }
  return isServer;
}

interface RuleContext {
  readonly route: KubeObject;
  readonly hosts: readonly (string | undefined)[];
  readonly isForServersAlone: boolean;
}

/** What of a rule is for other parents; a field that is not known is rejected, as it may be `matches`, misspelt. */
const ELSEWHERE = ['name', 'backendRefs', 'timeouts', 'retry', 'sessionPersistence'];

function readRule(fields: Fields, ruleIndex: number, context: RuleContext): readonly InboundMatch[] {
  const { hosts, isForServersAlone, route } = context;
  for (const key of ELSEWHERE) fields.has(key);
  const isGrpc = isGrpcRoute(route);
  const read = fields.objects('matches', of => (isGrpc ? readGrpcMatch(of) : readHttpMatch(of)));
  const matches = read.length > 0 ? read : [isGrpc ? EVERY_CALL : EVERY_REQUEST];
  const filters = readInboundFilters(fields, {
    matches: matches.map(({ match }) => match),
    isGrpc,
    isForServersAlone,
  });
  return hosts.flatMap(host =>
    matches.map(({ match, specificity }, matchIndex) => {
      const { creationTimestamp, name, namespace } = route.metadata;
      const order = [...hostRank(host), ...specificity];
      const rule = {
        ...PLAIN_RULE,
        name: `${keyOf(route)}/${ruleIndex}`,
        hosts: host === undefined ? [] : [host],
        matches: [match],
        filters,
      };
      const ranked = { rule, creationTimestamp, namespace, name, ruleIndex, specificity: order };
      return { rank: { ranked, match, matchIndex }, condition: requestCondition(match, host) };
    }),
  );
}

interface OrderedMatch {
  readonly match: RouteMatch;
  readonly specificity: readonly number[];
}

const EVERY_REQUEST: OrderedMatch = {
  match: { ...ANY_REQUEST, path: { kind: 'prefix', value: '/', ignoreCase: false } },
  specificity: [],
};

function readHttpMatch(fields: Fields): OrderedMatch {
  return { match: readMatch(fields), specificity: [] };
}

/** Characters of a host without wildcard, then of one with it. */
function hostRank(host: string | undefined): readonly number[] {
  if (host === undefined) return [0, 0];
  return host.startsWith('*') ? [0, host.length] : [host.length, host.length];
}
