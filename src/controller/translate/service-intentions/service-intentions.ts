import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { type Permission, readPermission } from './permission.ts';
import { readTokenWishes, type TokenWish } from './token-wish.ts';

/** Consul ServiceIntentions for one destination, as written; policies come of all of them (`compileIntentions`). */
export interface ServiceIntentions {
  readonly name: string;
  readonly namespace: string;
  readonly creationTimestamp: string;
  /** Name of a service, or `*`. */
  readonly destination: string;
  readonly sources: readonly IntentionSource[];
  /** Every request needs a token of any of them; undefined: none. */
  readonly tokens: readonly TokenWish[] | undefined;
}

export interface IntentionSource {
  /** Name of a service, or `*`. */
  readonly name: string;
  readonly verdict: Verdict;
}

/** Of connections; a list says it request by request. */
export type Verdict = 'allow' | 'deny' | readonly Permission[];

export function translateServiceIntentions(object: KubeObject): Translated<ServiceIntentions> {
  const diagnostics = new Diagnostics(object);
  const { name, namespace, creationTimestamp } = object.metadata;
  const read = readSpec(object, diagnostics, readIntentions);
  return diagnostics.conclude({
    name,
    namespace,
    creationTimestamp,
    ...(read ?? { destination: '', sources: [], tokens: undefined }),
  });
}

function readIntentions(spec: Fields): Pick<ServiceIntentions, 'destination' | 'sources' | 'tokens'> {
  const destination = spec.object('destination', readName) ?? '';
  if (destination === '' && !spec.has('destination')) {
    spec.reject('destination', 'is required', 'set destination.name to a service, or "*"');
  }
  const written = spec.objects('sources', readSource);
  const sources = written.filter(source => source !== undefined);
  const tokens = readTokenWishes(spec);
  if (written.length === 0) spec.reject('sources', 'is empty', 'name at least one source, or "*"');
  if (destination === '*' && sources.some(({ verdict }) => typeof verdict !== 'string'))
    spec.reject('sources', 'holds permissions for every service', 'name one service in destination.name');
  if (sources.some(({ verdict }) => waysOf(verdict, tokens) > MAX_WAYS))
    spec.reject(
      'jwt',
      `with the permissions makes more than ${MAX_WAYS} ways to be allowed`,
      'name fewer providers',
    );
  const names = sources.map(source => source.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) spec.reject('sources', `names the source "${twice}" twice`, 'keep one of them');
  return { destination, sources, tokens };
}

/** Undefined for a source in another cluster: whatever is said of it, nobody comes from there. */
function readSource(fields: Fields): IntentionSource | undefined {
  fields.string('description');
  fields.oneOf('type', ['consul']);
  fields.refused('samenessGroup', 'remove it; other clusters are not known yet');
  const source = { name: readName(fields), verdict: readVerdict(fields) };
  const peer = fields.string('peer') ?? '';
  if (peer === '') return source;
  fields.ignore('peer', 'is another cluster, from which nobody comes: the source has no effect', 'remove it');
  return undefined;
}

/** Providers and permissions multiply, and proxies hold what comes of it. */
const MAX_WAYS = 128;

function waysOf(verdict: Verdict, tokens: readonly TokenWish[] | undefined): number {
  const of = (wishes: readonly TokenWish[] | undefined): number => Math.max(1, wishes?.length ?? 1);
  if (typeof verdict === 'string') return of(tokens);
  return verdict.reduce((sum, permission) => sum + of(permission.tokens) * of(tokens), 0);
}

/** Each permission is compared with those above it: the bound keeps a policy at a size that proxies can hold. */
const MAX_PERMISSIONS = 64;

function readVerdict(fields: Fields): Verdict {
  const action = fields.oneOf('action', ['allow', 'deny']);
  const permissions = fields.objects('permissions', readPermission);
  if (!fields.has('permissions')) {
    if (action === undefined) fields.requiredString('action');
    return action ?? 'deny';
  }
  if (action !== undefined)
    fields.reject('permissions', 'cannot be together with action', 'keep the one you mean');
  if (permissions.length === 0)
    fields.reject('permissions', 'is empty', 'name at least one, or use action in their place');
  if (permissions.length > MAX_PERMISSIONS)
    fields.reject('permissions', `holds more than ${MAX_PERMISSIONS}`, 'put paths of one prefix together');
  return permissions;
}

/** Consul's namespaces and partitions do not exist here; `default` is what is written where there are none. */
function readName(fields: Fields): string {
  const name = fields.requiredString('name');
  if (name !== '*' && name.includes('*')) {
    fields.reject('name', 'is no name of a service', 'write the name of a service, or "*" alone');
  }
  for (const key of ['namespace', 'partition']) {
    const value = fields.string(key);
    if (value !== undefined && value !== 'default' && value !== '*') {
      fields.ignore(key, 'has no effect: services are found by name in every namespace', 'remove it');
    }
  }
  return name;
}
