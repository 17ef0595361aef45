import { rateLimits } from '../index/rate-limits.ts';
import type { MeshIndex } from '../index/mesh-index.ts';
import type { Entry, Parsed } from '../index/parsed-kind.ts';
import { keyOf } from '../source/kube-object.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { POLICY_GROUP } from '../translate/linkerd-policy/reference.ts';
import type { RateLimitPolicy } from '../translate/linkerd-rate-limit/rate-limit-policy.ts';
import { type Condition, isFalse, isTrue, messageOf } from './condition.ts';
import type { DesiredStatus } from './desired-status.ts';
import { plainStatus } from './policy-status.ts';

/** By key: the policy that holds for the Server of each. */
export type RateLimitHolders = ReadonlyMap<string, Parsed<RateLimitPolicy>>;

export function rateLimitHolders({ objects }: MeshIndex): RateLimitHolders {
  const held = [...rateLimits(objects).values()].flat();
  return new Map(
    held.map(({ policy }) => [`${policy.object.metadata.namespace}/${policy.value.server}`, policy]),
  );
}

/** `status` of an HTTPLocalRateLimitPolicy, with Linkerd's reasons and the target that Linkerd writes beside them. */
export function rateLimitStatus(
  entry: Entry<RateLimitPolicy>,
  index: MeshIndex,
  holders: RateLimitHolders,
  diagnostics: readonly Diagnostic[],
): DesiredStatus {
  const conditions = [accepted(entry, index, holders, diagnostics)];
  const name = entry.good?.value.server ?? '';
  const more = name === '' ? {} : { targetRef: { group: POLICY_GROUP, kind: 'Server', name } };
  return { kind: 'conditions', object: entry.latest, conditions, owned: ['Accepted'], more };
}

function accepted(
  entry: Entry<RateLimitPolicy>,
  index: MeshIndex,
  holders: RateLimitHolders,
  diagnostics: readonly Diagnostic[],
): Condition {
  const { good, latest } = entry;
  const [plain = isTrue('Accepted', 'Accepted')] = plainStatus(entry, diagnostics);
  if (!entry.accepted || good === undefined) return plain;
  const { namespace } = latest.metadata;
  const { server } = good.value;
  const shown = `Server ${namespace}/${server}`;
  if (index.objects.linkerd.servers.get(namespace, server) === undefined)
    return isFalse('Accepted', 'NoMatchingTarget', `there is no ${shown}; create it or correct the name`);
  const holder = holders.get(`${namespace}/${server}`)?.object;
  if (holder !== undefined && keyOf(holder) !== keyOf(latest)) {
    const message = `HTTPLocalRateLimitPolicy ${holder.metadata.name} is for ${shown} too, and older; keep one of them`;
    return isFalse('Accepted', 'RateLimitReasonAlreadyExists', message);
  }
  const services = index.limitedServices(keyOf(latest));
  const notes = diagnostics.length === 0 ? [] : [messageOf(diagnostics)];
  if (services.length > 0)
    return isTrue('Accepted', 'Accepted', [`held for ${services.sort().join(', ')}`, ...notes].join('\n'));
  const message = `${shown} selects no port of a Service that uses a waypoint: nobody counts; label the Service istio.io/use-waypoint, or correct the Server`;
  return isFalse('Accepted', 'AncestorNotBound', [message, ...notes].join('\n'));
}
