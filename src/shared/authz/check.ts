import { normalizeTarget } from '../route/path.ts';
import type { MeshView } from '../workload/mesh-view.ts';
import { serviceName, type Service, type Workload } from '../workload/workload.ts';
import { compile } from './compile.ts';
import { authzConnection } from './connection.ts';
import { evaluate } from './evaluate.ts';
import { policyName, type AuthorizationPolicy, type PolicyAction } from './policy.ts';
import type { AuthzRequest } from './request.ts';

/** "May this source reach that destination?", answered by a proxy from the snapshot it works with. */
export interface AuthzQuery {
  readonly destination: { readonly workload: Workload } | { readonly service: Service };
  /** SPIFFE id; undefined for plaintext. */
  readonly sourceIdentity: string | undefined;
  readonly sourceIp: string;
  /** 0: any port that no policy names. */
  readonly port: number;
  /** Of a TLS connection; empty: none. */
  readonly serverName: string;
  /** Given for a request at a waypoint. */
  readonly request: AuthzRequest | undefined;
}

export interface AuthzAnswer {
  readonly destination: string;
  readonly source: string;
  readonly allowed: boolean;
  readonly policy: string | undefined;
  readonly rule: number | undefined;
  readonly reason: string;
  /** Every policy that applies there, whether it matched or not. */
  readonly policies: readonly AppliedPolicy[];
}

export interface AppliedPolicy {
  readonly name: string;
  readonly action: PolicyAction;
  readonly scope: AuthorizationPolicy['scope'];
  readonly dryRun: boolean;
  readonly rules: number;
}

/** A request as the waypoint of the service has put its path before policies see it. */
function asReceived(view: MeshView, { destination, request }: AuthzQuery): AuthzRequest | undefined {
  if (request === undefined || 'workload' in destination) return request;
  const routes = view.routes(serviceName(destination.service));
  return { ...request, path: normalizeTarget(request.path, routes?.pathNormalization) ?? request.path };
}

export function checkAuthorization(view: MeshView, query: AuthzQuery): AuthzAnswer {
  const { destination, sourceIdentity, sourceIp, port, serverName } = query;
  const policies =
    'workload' in destination
      ? view.policiesFor(destination.workload)
      : (view.routes(serviceName(destination.service))?.authorizationPolicies ?? []);
  const destinationIp =
    'workload' in destination
      ? (destination.workload.addresses[0] ?? '')
      : (destination.service.addresses[0]?.ip ?? '');
  const connection = authzConnection({
    sourceIdentity,
    sourceIp,
    destinationIp,
    destinationPort: port,
    serverName,
  });
  const decision = evaluate(compile(policies), connection, asReceived(view, query));
  return {
    destination: 'workload' in destination ? destination.workload.uid : serviceName(destination.service),
    source: sourceIdentity ?? (sourceIp === '' ? 'plaintext' : `plaintext from ${sourceIp}`),
    ...decision,
    policies: policies.map(p => ({
      name: policyName(p),
      action: p.action,
      scope: p.scope,
      dryRun: p.dryRun,
      rules: p.rules.length,
    })),
  };
}
