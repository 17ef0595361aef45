import type { PathMatch, RouteMatch, RouteRule, ValueMatch } from '#shared/route/model.ts';
import type { PathModifier, Redirect } from '#shared/route/route-filter.ts';

/** Routes of the internal model in the terms of Envoy's v3 API, as far as both can say them. */

type Json = { readonly [key: string]: unknown };

const TYPE = 'type.googleapis.com/envoy.';

/** One table of rules, reached by its own host name. */
export interface RouteTable {
  readonly host: string;
  readonly rules: readonly RouteRule[];
}

/** Where a rule is followed the answer is the rule's name, unless it changes the path: then the upstream's. */
export function envoyBootstrap(
  tables: readonly RouteTable[],
  listenPort: number,
  upstreamPort: number,
): Json {
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'routes',
    // As Istio sets it.
    normalize_path: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    route_config: { name: 'routes', virtual_hosts: tables.map(table => virtualHost(table, listenPort)) },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: manager };
  return {
    static_resources: {
      listeners: [{ name: 'in', address: address(listenPort), filter_chains: [{ filters: [filter] }] }],
      clusters: [
        {
          name: 'upstream',
          type: 'STATIC',
          connect_timeout: '5s',
          load_assignment: {
            cluster_name: 'upstream',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
          },
        },
      ],
    },
  };
}

function address(port: number): Json {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function virtualHost({ host, rules }: RouteTable, port: number): Json {
  const routes = rules.flatMap(rule =>
    (rule.matches.length === 0 ? [undefined] : rule.matches).map(match => ({
      match: routeMatch(match),
      ...action(rule, match, port),
    })),
  );
  return { name: host, domains: [host, `${host}:*`], routes };
}

function routeMatch(match: RouteMatch | undefined): Json {
  if (match === undefined) return { prefix: '/' };
  const method: ValueMatch[] =
    match.method === undefined ? [] : [{ name: ':method', kind: 'exact', value: match.method }];
  return {
    ...pathMatch(match.path),
    headers: [
      ...[...match.headers, ...method].map(value => ({ name: value.name, ...valueMatch(value) })),
      ...match.withoutHeaders.map(withoutHeader),
    ],
    query_parameters: match.query.map(value => ({ name: value.name, ...valueMatch(value) })),
  };
}

/** As Istio writes it: a header that is not there has no value, which is one too. */
function withoutHeader(value: ValueMatch): Json {
  const treat_missing_header_as_empty = value.kind !== 'present';
  return { name: value.name, ...valueMatch(value), invert_match: true, treat_missing_header_as_empty };
}

function pathMatch(path: PathMatch | undefined): Json {
  if (path === undefined) return { prefix: '/' };
  const case_sensitive = !path.ignoreCase;
  switch (path.kind) {
    case 'exact':
      return { path: path.value, case_sensitive };
    case 'prefix': {
      const value = path.value.replace(/\/+$/, '');
      return value === '' ? { prefix: '/' } : { path_separated_prefix: value, case_sensitive };
    }
    case 'string_prefix':
      return { prefix: path.value, case_sensitive };
    case 'regex':
      return { safe_regex: { regex: path.ignoreCase ? `(?i)${path.value}` : path.value } };
  }
}

function valueMatch({ kind, value }: ValueMatch): Json {
  switch (kind) {
    case 'present':
      return { present_match: true };
    case 'regex':
      return { string_match: { safe_regex: { regex: value } } };
    default:
      return { string_match: { [kind]: value } };
  }
}

function action(rule: RouteRule, match: RouteMatch | undefined, port: number): Json {
  for (const filter of rule.filters) {
    if (filter.kind === 'rewrite' && filter.rewrite.path !== undefined)
      return { route: { cluster: 'upstream', ...rewrite(filter.rewrite.path, match?.path) } };
    if (filter.kind === 'redirect') return { redirect: redirect(filter.redirect, port) };
  }
  return { direct_response: { status: 200, body: { inline_string: rule.name } } };
}

function rewrite(modifier: PathModifier, match: PathMatch | undefined): Json {
  switch (modifier.kind) {
    case 'regex':
      return { regex_rewrite: { pattern: { regex: modifier.pattern }, substitution: modifier.value } };
    case 'prefix':
      return match?.kind === 'prefix' || match?.kind === 'string_prefix'
        ? { prefix_rewrite: modifier.value }
        : whole(modifier.value);
    case 'full':
      return whole(modifier.value);
  }
}

/** Envoy replaces a whole path by a pattern that matches all of it. */
function whole(value: string): Json {
  return { regex_rewrite: { pattern: { regex: '^/.*$' }, substitution: value.replaceAll('\\', '\\\\') } };
}

const REDIRECT_CODES: ReadonlyMap<number, string> = new Map([
  [301, 'MOVED_PERMANENTLY'],
  [302, 'FOUND'],
  [303, 'SEE_OTHER'],
  [307, 'TEMPORARY_REDIRECT'],
  [308, 'PERMANENT_REDIRECT'],
]);

/** @param listenPort which Gateway API means where neither a port nor a scheme is given. */
function redirect({ hostname, path, port, scheme, status }: Redirect, listenPort: number): Json {
  const derived = port ?? (scheme === undefined && hostname !== undefined ? listenPort : undefined);
  return {
    response_code: REDIRECT_CODES.get(status),
    ...(scheme === undefined ? {} : { scheme_redirect: scheme }),
    ...(hostname === undefined ? {} : { host_redirect: hostname }),
    ...(derived === undefined ? {} : { port_redirect: derived }),
    ...(path === undefined
      ? {}
      : { [path.kind === 'full' ? 'path_redirect' : 'prefix_rewrite']: path.value }),
  };
}
