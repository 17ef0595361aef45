import type { TlsOrigination } from '#shared/route/traffic-policy.ts';

/** TLS towards servers that this authority has certified, with what a test is about put in. */
export function simpleTls(rootPem: string, over: Partial<TlsOrigination> = {}): TlsOrigination {
  return {
    mode: 'simple',
    serverName: undefined,
    subjectAltNames: [],
    trustedRoots: { kind: 'pem', pem: rootPem },
    revocationListFile: undefined,
    clientCertificate: undefined,
    credential: undefined,
    skipVerification: false,
    alpn: [],
    passesClientTls: false,
    ...over,
  };
}
