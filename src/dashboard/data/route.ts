import { GRAPH_KINDS, type GraphKind } from '#shared/dashboard/frames.ts';

export const TABLES = ['services', 'workloads', 'proxies', 'policies', 'problems'] as const;
export type TableName = (typeof TABLES)[number];

/** What of the page is shown: the fragment of its address, so that it can be kept, sent and gone back to. */
export type Route = Scope &
  (
    | { readonly page: 'graph'; readonly by: GraphKind }
    | { readonly page: TableName }
    | { readonly page: 'detail'; readonly by: GraphKind; readonly name: string }
  );

export interface Scope {
  /** Empty: all. */
  readonly namespace: string;
  /** Only what has this text in it. */
  readonly filter: string;
}

/** Pure: what is not understood is the graph. */
export function readRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?');
  const params = new URLSearchParams(query);
  const scope = { namespace: params.get('namespace') ?? '', filter: params.get('filter') ?? '' };
  const [first = '', ...rest] = path
    .split('/')
    .filter(part => part !== '')
    .map(decode);
  const table = TABLES.find(name => name === first);
  const by = GRAPH_KINDS.find(kind => kind === first);
  const name = rest.join('/');
  if (table !== undefined) return { page: table, ...scope };
  if (by !== undefined && name !== '') return { page: 'detail', by, name, ...scope };
  return { page: 'graph', by: params.get('by') === 'workload' ? 'workload' : 'service', ...scope };
}

/** Names are of others: each part is escaped. */
export function routeHash(route: Route): string {
  const params = new URLSearchParams();
  if (route.page === 'graph' && route.by === 'workload') params.set('by', 'workload');
  if (route.namespace !== '') params.set('namespace', route.namespace);
  if (route.filter !== '') params.set('filter', route.filter);
  const path =
    route.page === 'detail'
      ? `${route.by}/${route.name.split('/').map(encodeURIComponent).join('/')}`
      : route.page;
  const query = params.toString();
  return `#/${path}${query === '' ? '' : `?${query}`}`;
}

/** What the server is asked for. */
export function viewQuery(route: Route): URLSearchParams {
  switch (route.page) {
    case 'graph':
      return new URLSearchParams({ view: 'graph', by: route.by, ...scopeOf(route) });
    case 'detail':
      return new URLSearchParams({ view: 'detail', by: route.by, name: route.name });
    default:
      return new URLSearchParams({ view: route.page, ...scopeOf(route) });
  }
}

function scopeOf({ filter, namespace }: Scope): Record<string, string> {
  return { ...(namespace === '' ? {} : { namespace }), ...(filter === '' ? {} : { filter }) };
}

/** A `%` that begins no escape is itself. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
