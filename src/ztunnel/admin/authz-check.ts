import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { policyName } from '#shared/authz/policy.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { workloadIdentity } from '#shared/workload/workload.ts';

export interface AuthzQuery {
  /** Uid of the destination. */
  readonly workload: string;
  readonly port: number;
  /** SPIFFE id, or uid of a workload; undefined for plaintext. */
  readonly source: string | undefined;
}

export type AuthzAnswer =
  | {
      readonly ok: true;
      readonly allowed: boolean;
      readonly reason: string;
      readonly source: string;
      readonly destination: string;
      readonly policies: readonly object[];
    }
  | { readonly ok: false; readonly problem: string };

/** What this proxy would decide about a connection to a workload, by the same code that decides. */
export function checkAuthz(view: MeshView, query: AuthzQuery): AuthzAnswer {
  const destination = view.workload(query.workload);
  if (destination === undefined)
    return { ok: false, problem: `workload ${query.workload} is not known here` };
  if (!Number.isInteger(query.port) || query.port < 1 || query.port > 65_535) {
    return { ok: false, problem: `port ${query.port} is not a port` };
  }
  const asked = query.source;
  const isIdentity = asked?.startsWith('spiffe://') === true;
  const source = asked === undefined || isIdentity ? undefined : view.workload(asked);
  if (asked !== undefined && !isIdentity && source === undefined) {
    return { ok: false, problem: `source ${asked} is not known here` };
  }
  const identity = source === undefined ? asked : workloadIdentity(source);
  const policies = view.policiesFor(destination);
  const decision = evaluate(
    compile(policies),
    authzConnection({
      sourceIdentity: identity,
      sourceIp: source?.addresses[0] ?? '',
      destinationIp: destination.addresses[0] ?? '',
      destinationPort: query.port,
    }),
  );
  return {
    ok: true,
    allowed: decision.allowed,
    reason: decision.reason,
    source: identity ?? 'plaintext, without identity',
    destination: `${workloadIdentity(destination)} port ${query.port}`,
    policies: policies.map(policy => ({
      name: policyName(policy),
      action: policy.action,
      scope: policy.scope,
      dryRun: policy.dryRun,
      rules: String(policy.rules.length),
    })),
  };
}
