import { parseIp, type IpBytes } from '../workload/ip.ts';

/**
 * What a policy may ask about a connection, taken apart once when it opens, so that every evaluation (each request at a
 * waypoint, each policy change on a live connection) only compares.
 */
export interface AuthzConnection {
  /** As in the certificate, `spiffe://…`; undefined for plaintext. For log texts. */
  readonly sourceIdentity: string | undefined;
  /** The identity without `spiffe://`, as policies write it. */
  readonly principal: string | undefined;
  /** Of an identity of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`, else undefined. */
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly sourceIp: string;
  readonly sourceIpBytes: IpBytes | undefined;
  readonly destinationIpBytes: IpBytes | undefined;
  readonly destinationPort: number;
}

export interface AuthzConnectionInput {
  /** The peer's verified SPIFFE id; undefined for plaintext. */
  readonly sourceIdentity: string | undefined;
  /** IP text; an address that does not parse matches no address field. */
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly destinationPort: number;
}

const SPIFFE_SCHEME = 'spiffe://';

export function authzConnection(input: AuthzConnectionInput): AuthzConnection {
  const principal = input.sourceIdentity === undefined ? undefined : withoutScheme(input.sourceIdentity);
  const account = principal === undefined ? undefined : parseAccount(principal);
  return {
    sourceIdentity: input.sourceIdentity,
    principal,
    namespace: account?.namespace,
    serviceAccount: account?.serviceAccount,
    sourceIp: input.sourceIp,
    sourceIpBytes: parseIp(input.sourceIp),
    destinationIpBytes: parseIp(input.destinationIp),
    destinationPort: input.destinationPort,
  };
}

/** Policies name a principal without its scheme, as Istio's do. */
export function withoutScheme(identity: string): string {
  return identity.startsWith(SPIFFE_SCHEME) ? identity.slice(SPIFFE_SCHEME.length) : identity;
}

function parseAccount(principal: string): { namespace: string; serviceAccount: string } | undefined {
  const [trustDomain, ns, namespace, sa, serviceAccount, ...rest] = principal.split('/');
  if (ns !== 'ns' || sa !== 'sa' || rest.length > 0) return undefined;
  if (trustDomain === '' || namespace === undefined || serviceAccount === undefined) return undefined;
  if (namespace === '' || serviceAccount === '') return undefined;
  return { namespace, serviceAccount };
}
