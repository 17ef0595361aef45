import type { LocalRateLimit, RateLimitOverride, TokenBucket } from '#shared/route/route-filter.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { POLICY_GROUP } from '../linkerd-policy/reference.ts';
import { MAX_RATE, secondBucket } from '../second-bucket.ts';

/** How often the port of a Server may be asked. */
export interface RateLimitPolicy {
  /** The Server, in the policy's namespace. */
  readonly server: string;
  readonly limit: LocalRateLimit;
}

/** Who the accounts of clients are. */
export interface RateLimitContext {
  readonly trustDomain: string;
}

const TOO_MANY_REQUESTS = 429;

/** Linkerd HTTPLocalRateLimitPolicy. */
export function translateRateLimitPolicy(
  object: KubeObject,
  context: RateLimitContext,
): Translated<RateLimitPolicy> {
  const diagnostics = new Diagnostics(object);
  const policy = readSpec(object, diagnostics, spec => readPolicy(spec, object.metadata.namespace, context));
  return diagnostics.conclude(policy ?? { server: '', limit: NO_LIMIT });
}

const NO_LIMIT: LocalRateLimit = {
  total: undefined,
  identity: undefined,
  overrides: [],
  status: TOO_MANY_REQUESTS,
  sharedAs: undefined,
};

function readPolicy(spec: Fields, namespace: string, context: RateLimitContext): RateLimitPolicy {
  const server = spec.object('targetRef', readTarget);
  if (!spec.has('targetRef')) spec.reject('targetRef', 'is required', 'name a Server of this namespace');
  const total = spec.object('total', fields => readRate(fields));
  const identity = spec.object('identity', fields => readRate(fields, total));
  const overrides = spec.objects('overrides', fields => readOverride(fields, namespace, context, total));
  if (total === undefined && identity === undefined && overrides.length === 0)
    spec.ignore('total', 'is not set, nor identity, nor overrides: nothing is limited', 'set one of them');
  return {
    server: server ?? '',
    limit: {
      ...NO_LIMIT,
      total: bucketIf(total),
      identity: bucketIf(identity),
      overrides,
    },
  };
}

function readTarget(fields: Fields): string {
  const kind = fields.requiredString('kind');
  const group = fields.string('group') ?? '';
  const name = fields.requiredString('name');
  if (kind !== '' && (kind !== 'Server' || group !== POLICY_GROUP))
    fields.reject('kind', 'is no target of such a policy', `name a Server of group ${POLICY_GROUP}`);
  return name;
}

function readRate(fields: Fields, total?: number): number {
  const rate = fields.integer('requestsPerSecond', 1, MAX_RATE);
  if (!fields.has('requestsPerSecond'))
    fields.reject('requestsPerSecond', 'is required', 'write how many requests a second are let through');
  if (rate !== undefined && total !== undefined && rate > total)
    fields.reject('requestsPerSecond', `is more than the ${total} of total`, `write ${total} or less`);
  return rate ?? 0;
}

function readOverride(
  fields: Fields,
  namespace: string,
  context: RateLimitContext,
  total: number | undefined,
): RateLimitOverride {
  const rate = readRate(fields, total);
  const identities = fields.objects('clientRefs', client => readClient(client, namespace, context));
  if (identities.length === 0) fields.reject('clientRefs', 'is required', 'name ServiceAccounts of clients');
  return { identities, bucket: secondBucket(rate) };
}

function readClient(fields: Fields, ownNamespace: string, { trustDomain }: RateLimitContext): string {
  const kind = fields.requiredString('kind');
  const group = fields.string('group') ?? '';
  if (kind !== '' && (kind !== 'ServiceAccount' || (group !== '' && group !== 'core')))
    fields.reject('kind', 'is no client', 'name a ServiceAccount');
  const namespace = fields.string('namespace') ?? '';
  const name = fields.requiredString('name');
  return `spiffe://${trustDomain}/ns/${namespace === '' ? ownNamespace : namespace}/sa/${name}`;
}

function bucketIf(perSecond: number | undefined): TokenBucket | undefined {
  return perSecond === undefined ? undefined : secondBucket(perSecond);
}
