import type { RequestCertificate } from '../identity/request-certificate.ts';
import { createCertificateClient } from './certificate-client.ts';
import type { ControllerEndpoint } from './controller-channel.ts';

/** Certificates from a mesh's CA. @param forPods a node proxy asks on behalf of its pods, any other for itself */
export function createCertificateSource(endpoint: ControllerEndpoint, forPods: boolean): RequestCertificate {
  const client = createCertificateClient(endpoint);
  return ({ csrPem, identity, ttlMs }) =>
    client.createCertificate({
      csrPem,
      validitySeconds: Math.floor(ttlMs / 1_000),
      impersonatedIdentity: forPods ? identity : undefined,
    });
}
