import type { Logger } from '../observability/logger.ts';
import type { CompiledPolicySet } from './compile.ts';
import type { AuthzConnection } from './connection.ts';
import { matchingAudits } from './evaluate.ts';
import type { AuthzRequest } from './request.ts';
import type { TokenIdentity } from './token-identity.ts';

/** Tells the operator of a request that policies of action AUDIT name. Whether it is allowed is decided by others. */
export function reportAudit(
  logger: Logger,
  policies: CompiledPolicySet,
  connection: AuthzConnection,
  destination: string,
  request: AuthzRequest,
  token: TokenIdentity | undefined,
): void {
  const audits = matchingAudits(policies, connection, request, token);
  if (audits.length === 0) return;
  logger.info('audit', {
    policies: audits.join(','),
    source: connection.sourceIdentity ?? connection.sourceIp,
    principal: token?.principal,
    destination,
    method: request.method,
    path: request.path,
  });
}
