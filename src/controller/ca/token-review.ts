import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { PODS, TOKEN_REVIEWS } from '#shared/kube/core-resources.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import { apiVersionOf, collectionPath, objectPath } from '#shared/kube/resource.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { formatSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { BoundedWork } from './bounded-work.ts';
import type { Authentication, TokenAuthenticator } from './token-authenticator.ts';

export interface TokenReviewOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly trustDomain: TrustDomain;
  /** A token made for anybody else proves nothing here. */
  readonly audience: string;
  /** `<namespace>/<service account>` of node proxies. */
  readonly nodeAccounts: readonly string[];
}

/** What a token proves, before it is known on which node. */
interface ReviewedToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string | undefined;
  readonly podUid: string | undefined;
  readonly node: string | undefined;
}

const DEADLINE_MS = 4_000;
/** A node proxy asks for many certificates with one token; for so long one review is enough. */
const REMEMBER_MS = 10_000;
const MAX_REMEMBERED = 4096;
/**
 * Who comes with a token is a stranger, and each asks something of the API server in our name: it would let our own requests,
 * the lease among them, wait with theirs.
 */
const REVIEWS = { what: 'token reviews', mostUnderWay: 32, mostWaiting: 1_000 };
const EXTRA = 'authentication.kubernetes.io/';

/**
 * Service account tokens, as the API server judges them: whose it is, for which audience, bound to which pod, on which node.
 * A token of a node proxy must be bound to a pod; a copy of it made for no pod is worth no node.
 */
export function createTokenReviewer(options: TokenReviewOptions): TokenAuthenticator {
  const remembered = new Map<string, { readonly untilMs: number; readonly result: Authentication }>();
  const reviews = new BoundedWork(REVIEWS);
  return {
    name: 'service account token',
    async authenticate(token, signal) {
      const now = options.clock.monotonic();
      const key = createHash('sha256').update(token).digest('base64');
      const known = remembered.get(key);
      if (known !== undefined && known.untilMs > now) return known.result;
      const result = await reviews.run(() => review(options, token, signal));
      if (!result.ok) return result;
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(key, { untilMs: now + REMEMBER_MS, result });
      return result;
    },
  };
}

async function review(
  options: TokenReviewOptions,
  token: string,
  signal: AbortSignal,
): Promise<Authentication> {
  const { api, audience, nodeAccounts, trustDomain } = options;
  const answer = await api.request({
    method: 'POST',
    path: collectionPath(TOKEN_REVIEWS),
    body: {
      apiVersion: apiVersionOf(TOKEN_REVIEWS),
      kind: TOKEN_REVIEWS.kind,
      spec: { token, audiences: [audience] },
    },
    signal,
    deadlineMs: DEADLINE_MS,
  });
  const reviewed = readReview(answer['status'], audience);
  if (typeof reviewed === 'string') return { ok: false, reason: reviewed };
  const { namespace, serviceAccount } = reviewed;
  const identity = formatSpiffeId({ trustDomain, namespace, serviceAccount });
  if (!nodeAccounts.includes(`${namespace}/${serviceAccount}`))
    return { ok: true, caller: { kind: 'workload', identity } };
  const node = reviewed.node ?? (await nodeOfPod(api, reviewed, signal));
  if (node === undefined)
    return {
      ok: false,
      reason: `the token of ${identity} is bound to no pod on a node: use a projected token`,
    };
  return { ok: true, caller: { kind: 'node', identity, node } };
}

/** @returns the reason when the token is not acceptable. */
function readReview(status: unknown, audience: string): ReviewedToken | string {
  if (!isJsonObject(status)) return 'the API server gave no verdict';
  if (status['authenticated'] !== true) {
    const { error } = status;
    return typeof error === 'string' && error !== '' ? error : 'the API server does not know it';
  }
  // A server that knows nothing of audiences names none: then the token may be for anybody.
  const { audiences } = status;
  if (!Array.isArray(audiences) || !audiences.includes(audience)) return `it is not for audience ${audience}`;
  const user = isJsonObject(status['user']) ? status['user'] : {};
  const { username } = user;
  const account =
    typeof username === 'string' ? /^system:serviceaccount:([^:/]+):([^:/]+)$/.exec(username) : null;
  if (account === null) return `${JSON.stringify(username)} is no service account`;
  const [, namespace = '', serviceAccount = ''] = account;
  const extra = isJsonObject(user['extra']) ? user['extra'] : {};
  return {
    namespace,
    serviceAccount,
    pod: extraOf(extra, 'pod-name'),
    podUid: extraOf(extra, 'pod-uid'),
    node: extraOf(extra, 'node-name'),
  };
}

/** Servers before 1.30 name the pod alone. */
async function nodeOfPod(
  api: KubeApi,
  { namespace, pod, podUid }: ReviewedToken,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (pod === undefined || podUid === undefined) return undefined;
  try {
    const object = await api.request({
      path: objectPath(PODS, namespace, pod),
      signal,
      deadlineMs: DEADLINE_MS,
    });
    const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
    const spec = isJsonObject(object['spec']) ? object['spec'] : {};
    const { nodeName } = spec;
    // Another pod of the same name is not the one the token was made for.
    return metadata['uid'] === podUid && typeof nodeName === 'string' && nodeName !== ''
      ? nodeName
      : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function extraOf(extra: JsonObject, name: string): string | undefined {
  const values = extra[EXTRA + name];
  const first: unknown = Array.isArray(values) ? values[0] : undefined;
  return typeof first === 'string' && first !== '' ? first : undefined;
}
