import { ANY_HTTP_REQUEST, type HttpMatch, type StringMatch } from '#shared/authz/policy.ts';
import type { PathMatch, RouteMatch, ValueMatch } from '#shared/route/model.ts';

/** What a match of a route asks of a request, as policies say it, both ways. */
export interface RequestCondition {
  /** Undefined: every request meets it. */
  readonly met: HttpMatch | undefined;
  /** Any of them. None: every request meets it. */
  readonly unmet: readonly HttpMatch[];
}

type Part = Partial<HttpMatch>;

/** @param host `*.x` or a name; undefined: any */
export function requestCondition(match: RouteMatch, host: string | undefined): RequestCondition {
  const parts = [
    hostPart(host),
    pathPart(match.path),
    methodPart(match.method),
    ...match.headers.map(headerPart),
    ...match.query.map(queryPart),
  ].filter(part => part !== undefined);
  const headers = parts.flatMap(({ met }) => met.headers ?? []);
  const queryParams = parts.flatMap(({ met }) => met.queryParams ?? []);
  const met = parts.reduce<Part>((all, part) => ({ ...all, ...part.met }), {});
  return {
    met: parts.length === 0 ? undefined : { ...ANY_HTTP_REQUEST, ...met, headers, queryParams },
    unmet: parts.map(({ unmet }) => ({ ...ANY_HTTP_REQUEST, ...unmet })),
  };
}

interface BothWays {
  readonly met: Part;
  readonly unmet: Part;
}

function hostPart(host: string | undefined): BothWays | undefined {
  if (host === undefined) return undefined;
  const name: StringMatch = host.startsWith('*.')
    ? { kind: 'suffix', value: host.slice(1) }
    : { kind: 'exact', value: host };
  return { met: { hosts: [name] }, unmet: { notHosts: [name] } };
}

function pathPart(path: PathMatch | undefined): BothWays | undefined {
  const paths = path === undefined ? [] : pathsOf(path);
  return paths.length === 0 ? undefined : { met: { paths }, unmet: { notPaths: paths } };
}

/** A prefix of Gateway API is one of path elements. */
function pathsOf({ kind, value }: PathMatch): readonly StringMatch[] {
  if (kind === 'exact' || kind === 'regex') return [{ kind, value }];
  const prefix = value.replace(/\/+$/, '');
  if (prefix === '') return [];
  return [
    { kind: 'exact', value: prefix },
    { kind: 'prefix', value: `${prefix}/` },
  ];
}

function methodPart(method: string | undefined): BothWays | undefined {
  if (method === undefined) return undefined;
  const methods: readonly StringMatch[] = [{ kind: 'exact', value: method }];
  return { met: { methods }, unmet: { notMethods: methods } };
}

function queryPart(match: ValueMatch): BothWays {
  const { name } = match;
  const value = valueOf(match);
  return {
    met: { queryParams: [{ name, values: [value], notValues: [] }] },
    unmet: { queryParams: [{ name, values: [], notValues: [value] }] },
  };
}

function valueOf({ kind, value }: ValueMatch): StringMatch {
  return kind === 'present' ? { kind: 'any' } : { kind, value };
}

function headerPart(header: ValueMatch): BothWays {
  const { name } = header;
  const match = valueOf(header);
  return {
    met: { headers: [{ name, values: [match], notValues: [] }] },
    unmet: { headers: [{ name, values: [], notValues: [match] }] },
  };
}
