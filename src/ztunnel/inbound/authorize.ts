import { evaluate, evaluateDryRun } from '#shared/authz/evaluate.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import type { PodContext } from '../pod/pod-context.ts';

/** Why a connection may not come in, or undefined when it may. The connection is registered and described already. */
export function authorize(pod: PodContext, connection: TrackedConnection): ChannelError | undefined {
  const { authz } = connection;
  if (authz === undefined) return new ChannelError('policy', 'nothing is known about the source');
  const { policies, view, logger } = pod.traffic;
  const compiled = policies.of(view, pod.current().workload);
  const decision = evaluate(compiled, authz);
  const dryRun = evaluateDryRun(compiled, authz);
  if (dryRun !== undefined && dryRun.allowed !== decision.allowed) {
    logger.info('dry-run policy would decide otherwise', {
      source: authz.sourceIdentity ?? authz.sourceIp,
      destination: pod.identity,
      allowed: dryRun.allowed,
      reason: dryRun.reason,
    });
  }
  return decision.allowed ? undefined : new ChannelError('policy', decision.reason);
}
