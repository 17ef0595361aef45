import {
  type CertificateRequest,
  CREATE_CERTIFICATE_PATH,
  decodeCertificateResponse,
  encodeCertificateRequest,
} from './certificate-message.ts';
import { ConnectPatience } from './connect-patience.ts';
import { callController, type ControllerEndpoint } from './controller-channel.ts';

/** Asks the certificate authority to sign. */
export interface CertificateClient {
  /**
   * @returns PEM certificates, leaf first, root last.
   * @throws Error naming the authority's address and what it answered, or that the deadline passed.
   */
  createCertificate(request: CertificateRequest): Promise<readonly string[]>;
}

const DEFAULT_DEADLINE_MS = 10_000;

export function createCertificateClient(
  endpoint: ControllerEndpoint,
  deadlineMs = DEFAULT_DEADLINE_MS,
  patience = new ConnectPatience(),
): CertificateClient {
  const method = {
    path: CREATE_CERTIFICATE_PATH,
    encode: encodeCertificateRequest,
    decode: decodeCertificateResponse,
  };
  return {
    createCertificate: async request => callController(endpoint, method, request, deadlineMs, patience),
  };
}
