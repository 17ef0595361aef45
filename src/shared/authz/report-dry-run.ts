import type { Logger } from '../observability/logger.ts';
import type { CompiledPolicySet } from './compile.ts';
import type { AuthzConnection } from './connection.ts';
import type { Decision } from './decision.ts';
import { evaluateDryRun } from './evaluate.ts';
import type { AuthzRequest } from './request.ts';
import type { TokenIdentity } from './token-identity.ts';

/**
 * Tells the operator where policies of annotation `istio.io/dry-run` would turn the decision that was made into another.
 *
 * @param destination the workload or service that was asked for.
 */
export function reportDryRun(
  logger: Logger,
  policies: CompiledPolicySet,
  decision: Decision,
  connection: AuthzConnection,
  destination: string,
  request?: AuthzRequest,
  token?: TokenIdentity,
): void {
  const dryRun = evaluateDryRun(policies, connection, request, token);
  if (dryRun === undefined || dryRun.allowed === decision.allowed) return;
  logger.info('dry-run policy would decide otherwise', {
    source: connection.sourceIdentity ?? connection.sourceIp,
    destination,
    method: request?.method,
    path: request?.path,
    allowed: dryRun.allowed,
    reason: dryRun.reason,
  });
}
