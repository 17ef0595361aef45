import { Remembered } from '../lifecycle/remembered.ts';
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
  readonly trustDomain: string | undefined;
  /** Of an identity of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`, else undefined. */
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly sourceIp: string;
  readonly sourceIpBytes: IpBytes | undefined;
  readonly destinationIpBytes: IpBytes | undefined;
  readonly destinationPort: number;
  /**
   * The server name that the client asks for by TLS, in lower case; empty: it speaks no TLS, or names nobody. Undefined: that
   * cannot be known, as at a ztunnel, which never reads what it passes on.
   */
  readonly serverName: string | undefined;
}

export interface AuthzConnectionInput {
  /** The peer's verified SPIFFE id; undefined for plaintext. */
  readonly sourceIdentity: string | undefined;
  /** IP text; an address that does not parse matches no address field. */
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly destinationPort: number;
  readonly serverName?: string | undefined;
}

const SPIFFE_SCHEME = 'spiffe://';

export function authzConnection(input: AuthzConnectionInput): AuthzConnection {
  const source = input.sourceIdentity === undefined ? NOBODY : identities.of(input.sourceIdentity);
  return {
    sourceIdentity: input.sourceIdentity,
    principal: source.principal,
    trustDomain: source.trustDomain,
    namespace: source.namespace,
    serviceAccount: source.serviceAccount,
    sourceIp: input.sourceIp,
    sourceIpBytes: addresses.of(input.sourceIp),
    destinationIpBytes: addresses.of(input.destinationIp),
    destinationPort: input.destinationPort,
    serverName: input.serverName,
  };
}

/** The same connection, of which now is known whom the client asks for. RFC 6066 §3 has no dot at the end of a name. */
export function withServerName(connection: AuthzConnection, name: string | undefined): AuthzConnection {
  return { ...connection, serverName: name?.toLowerCase().replace(/\.$/, '') };
}

/** Policies name a principal without its scheme, as Istio's do. */
export function withoutScheme(identity: string): string {
  return identity.startsWith(SPIFFE_SCHEME) ? identity.slice(SPIFFE_SCHEME.length) : identity;
}

type IdentityParts = Pick<AuthzConnection, 'principal' | 'trustDomain' | 'namespace' | 'serviceAccount'>;

const NOBODY: IdentityParts = {
  principal: undefined,
  trustDomain: undefined,
  namespace: undefined,
  serviceAccount: undefined,
};

/** Identities kept, and addresses: a peer has the same with each of its connections. */
const MAX_KNOWN = 512;
const identities = new Remembered(MAX_KNOWN, parseIdentity);
const addresses = new Remembered(MAX_KNOWN, parseIp);

function parseIdentity(identity: string): IdentityParts {
  const principal = withoutScheme(identity);
  const account = parseAccount(principal);
  return {
    principal,
    trustDomain: principal.split('/', 1)[0],
    namespace: account?.namespace,
    serviceAccount: account?.serviceAccount,
  };
}

function parseAccount(principal: string): { namespace: string; serviceAccount: string } | undefined {
  const [trustDomain, ns, namespace, sa, serviceAccount, ...rest] = principal.split('/');
  if (ns !== 'ns' || sa !== 'sa' || rest.length > 0) return undefined;
  if (trustDomain === '' || namespace === undefined || serviceAccount === undefined) return undefined;
  if (namespace === '' || serviceAccount === '') return undefined;
  return { namespace, serviceAccount };
}
