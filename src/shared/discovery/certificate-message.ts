import { messageCodec } from './messages.ts';
import { structFromWire, structText, structToWire } from './struct-wire.ts';
import { InvalidField, readMessage, readName, readNumber, readTexts } from './wire-fields.ts';

/** The messages of `istio.v1.auth.IstioCertificateService`. */
export interface CertificateRequest {
  /** PEM of a PKCS#10 request. */
  readonly csrPem: string;
  /** 0: what the authority gives by default. */
  readonly validitySeconds: number;
  /** The SPIFFE id asked for on behalf of a pod; undefined when the caller asks for its own. */
  readonly impersonatedIdentity: string | undefined;
}

export const CREATE_CERTIFICATE_PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

/** A CSR is below 10 KiB; a chain of several certificates likewise. */
const MAX_CERTIFICATE_MESSAGE_BYTES = 256 * 1024;
const IMPERSONATED_IDENTITY = 'ImpersonatedIdentity';

const requestCodec = messageCodec('istio.v1.auth.IstioCertificateRequest', MAX_CERTIFICATE_MESSAGE_BYTES);
const responseCodec = messageCodec('istio.v1.auth.IstioCertificateResponse', MAX_CERTIFICATE_MESSAGE_BYTES);

export function encodeCertificateRequest(request: CertificateRequest): Buffer {
  const { impersonatedIdentity } = request;
  return requestCodec.encode({
    csr: request.csrPem,
    validity_duration: request.validitySeconds,
    metadata:
      impersonatedIdentity === undefined
        ? undefined
        : structToWire({ [IMPERSONATED_IDENTITY]: impersonatedIdentity }),
  });
}

/** @throws MessageError, InvalidField */
export function decodeCertificateRequest(bytes: Uint8Array): CertificateRequest {
  const wire = requestCodec.decode(bytes);
  const validitySeconds = readNumber(wire, 'validity_duration');
  if (validitySeconds < 0) throw new InvalidField('validity_duration', `${validitySeconds} is negative`);
  const metadata = structFromWire(readMessage(wire, 'metadata') ?? {});
  return {
    csrPem: readName(wire, 'csr'),
    validitySeconds,
    impersonatedIdentity: structText(metadata, IMPERSONATED_IDENTITY),
  };
}

/** `certChain`: PEM, leaf first, root last. */
export function encodeCertificateResponse(certChain: readonly string[]): Buffer {
  return responseCodec.encode({ cert_chain: certChain });
}

/** @throws MessageError, InvalidField when the chain is empty. */
export function decodeCertificateResponse(bytes: Uint8Array): readonly string[] {
  const chain = readTexts(responseCodec.decode(bytes), 'cert_chain');
  if (chain.length === 0) throw new InvalidField('cert_chain', 'is empty');
  return chain;
}
