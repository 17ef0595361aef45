import type { RetryPolicy } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import { type AskedFilter, sayOfConnectFilters } from '../connect-rule.ts';
import type { Fields } from '../decode.ts';
import { readDirectResponse, readRedirect, readRewrite } from './action.ts';
import { readCors } from './cors.ts';
import { readDestinations, type Destination } from './destination.ts';
import { readFault } from './fault.ts';
import { readHeaders } from './header-operations.ts';
import { readMatches, type GuardedMatch } from './match.ts';
import { readMirrors, type MirrorTarget } from './mirror.ts';
import { readRetries } from './retries.ts';
import type { VirtualServiceContext } from './context.ts';

/** One entry of `http`, of this object or of one it delegates to. Undefined is not set. */
export interface HttpEntry {
  readonly name: string;
  /** Undefined: nothing of it is for the mesh. Empty: every request. */
  readonly matches: readonly GuardedMatch[] | undefined;
  readonly destinations: readonly Destination[];
  readonly delegate: { readonly namespace: string; readonly name: string } | undefined;
  readonly headers: readonly RouteFilter[] | undefined;
  readonly rewrite: RouteFilter | undefined;
  readonly redirect: RouteFilter | undefined;
  readonly directResponse: RouteFilter | undefined;
  readonly fault: RouteFilter | undefined;
  readonly cors: RouteFilter | undefined;
  readonly mirrors: readonly MirrorTarget[] | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: RetryPolicy | undefined;
}

/** @param defaultName of an entry without a name of its own; ends with its index. */
export function readHttpEntry(
  fields: Fields,
  defaultName: string,
  context: VirtualServiceContext,
): HttpEntry {
  const given = fields.string('name');
  const entry: HttpEntry = {
    name: given === undefined ? defaultName : `${defaultName.replace(/\/\d+$/, '')}/${given}`,
    matches: readMatches(fields, context.labelled),
    destinations: readDestinations(fields, context, true),
    delegate: fields.object('delegate', delegate => readDelegate(delegate, context.namespace)),
    headers: fields.has('headers') ? readHeaders(fields) : undefined,
    rewrite: fields.object('rewrite', readRewrite),
    redirect: fields.object('redirect', readRedirect),
    directResponse: fields.object('directResponse', readDirectResponse),
    fault: fields.object('fault', readFault),
    cors: fields.object('corsPolicy', readCors),
    mirrors: readMirrors(fields, context),
    timeoutMs: fields.durationMs('timeout', '10s'),
    retry: fields.object('retries', readRetries),
  };
  checkOutcome(fields, entry);
  const matches = (entry.matches ?? []).map(({ match }) => match);
  sayOfConnectFilters(fields, matches, askedFilters(fields, entry));
  return entry;
}

function askedFilters(fields: Fields, entry: HttpEntry): readonly AskedFilter[] {
  const single = (['rewrite', 'redirect', 'directResponse', 'fault'] as const).flatMap(key => {
    const filter = entry[key];
    return filter === undefined ? [] : [{ key, filter }];
  });
  const headers = (entry.headers ?? []).map(filter => ({ key: 'headers', filter }));
  const key = fields.has('mirrors') ? 'mirrors' : 'mirror';
  const mirrors = (entry.mirrors ?? []).map(() => ({ key, filter: { kind: 'mirror' } as const }));
  return [...single, ...headers, ...mirrors];
}

function readDelegate(fields: Fields, ownNamespace: string): HttpEntry['delegate'] {
  return { namespace: fields.string('namespace') ?? ownNamespace, name: fields.requiredString('name') };
}

function checkOutcome(fields: Fields, entry: HttpEntry): void {
  if (fields.has('rewrite') && fields.has('redirect'))
    fields.reject('rewrite', 'cannot be together with redirect', 'remove one of the two');
  const outcomes = ['redirect', 'directResponse', 'delegate'].filter(key => fields.has(key)).length;
  if (outcomes + (entry.destinations.length > 0 ? 1 : 0) === 1) return;
  fields.reject(
    'route',
    'must be set, or redirect, directResponse or delegate, and only one of them',
    'keep the one you mean',
  );
}
