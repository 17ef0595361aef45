import { isIP } from 'node:net';
import type { ForeignServer } from '#shared/engine/engine.ts';
import type { TlsOrigination } from '#shared/route/traffic-policy.ts';
import type { Workload } from '#shared/workload/workload.ts';

/** What a server's certificate is checked against, and what it is shown: alike for many servers. */
export interface TlsTrust
  extends Pick<TlsOrigination, 'trustedRoots' | 'revocationListFile' | 'clientCertificate' | 'credential'> {
  /** A certificate is shown. */
  readonly mutual: boolean;
}

/** TLS that the waypoint speaks with an endpoint, whether its client did or not. */
export type OriginatedTls =
  | {
      readonly kind: 'foreign';
      readonly trust: TlsTrust;
      readonly server: ForeignServer;
      /** The names are given: an endpoint has no other ones. */
      readonly namesGiven: boolean;
      /** The service has no name of its own (a wildcard), nor does the policy say one: it is that of each endpoint, where it has one. */
      readonly namedByEndpoint: boolean;
      readonly verifies: boolean;
      /** Empty: what suits the request. */
      readonly alpn: readonly string[];
      /** Not for what a client has encrypted already. */
      readonly passesClientTls: boolean;
    }
  /** With the mesh's certificates, to a workload that has one and takes no tunnel. */
  | {
      readonly kind: 'mesh';
      readonly serverName: string | undefined;
      /** Empty: the identity of the workload. */
      readonly names: readonly string[];
      readonly alpn: readonly string[];
    };

/** What is spoken with one workload. Of the mesh's own TLS the tunnel is one already. */
export function tlsTowards(
  { tunnelProtocol }: Pick<Workload, 'tunnelProtocol'>,
  { tls }: { readonly tls: OriginatedTls | undefined },
): OriginatedTls | undefined {
  return tls?.kind === 'mesh' && tunnelProtocol !== 'none' ? undefined : tls;
}

/** @param hostname of the service: what its servers are expected to be named, unless the policy says otherwise */
export function originateTls(
  policy: TlsOrigination | undefined,
  hostname: string,
): OriginatedTls | undefined {
  if (policy === undefined || policy.mode === 'disable') return undefined;
  const { alpn, clientCertificate, credential, revocationListFile, trustedRoots } = policy;
  const { passesClientTls, skipVerification, subjectAltNames } = policy;
  const name = policy.serverName ?? hostname;
  const serverName = isIP(name) === 0 && !name.startsWith('*') ? name : undefined;
  if (policy.mode === 'mesh') return { kind: 'mesh', serverName, names: subjectAltNames, alpn };
  return {
    kind: 'foreign',
    trust: {
      mutual: policy.mode === 'mutual',
      trustedRoots,
      revocationListFile,
      clientCertificate,
      credential,
    },
    // A wildcard is no server's name: nothing is trusted under it unless names are given.
    server: { serverName, names: subjectAltNames.length > 0 ? subjectAltNames : [name] },
    namesGiven: subjectAltNames.length > 0,
    namedByEndpoint: policy.serverName === undefined && hostname.startsWith('*'),
    verifies: !skipVerification,
    alpn,
    passesClientTls,
  };
}
