import { evaluate } from '#shared/authz/evaluate.ts';
import { reportDryRun } from '#shared/authz/report-dry-run.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import type { PodContext } from '../pod/pod-context.ts';

/** Why a connection may not come in, or undefined when it may. The connection is registered and described already. */
export function authorize(pod: PodContext, connection: TrackedConnection): ChannelError | undefined {
  const { authz } = connection;
  if (authz === undefined) return new ChannelError('policy', 'nothing is known about the source');
  const { denials, policies, view, logger } = pod.traffic;
  const { workload } = pod.current();
  const compiled = policies.of(view, workload);
  const decision = evaluate(compiled, authz);
  reportDryRun(logger, compiled, decision, authz, pod.identity);
  if (decision.allowed) return undefined;
  denials.count(decision, workload.namespace);
  return new ChannelError('policy', decision.reason);
}
