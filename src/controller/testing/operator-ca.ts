import { issueIntermediate, issueRoot } from '#shared/pki/certificate.ts';
import { exportPrivateKey, generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';

/** A CA as an operator has it: PEM texts. */
export interface OperatorCa {
  readonly rootCert: string;
  readonly caCert: string;
  readonly caKey: string;
}

const YEAR_MS = 365 * 86_400_000;
const HOUR_MS = 3_600_000;

/** An hour old, and good for a year, where nothing else is said. */
export async function createOperatorCa(
  name: string,
  nowMs: number,
  { validFromMs = nowMs - HOUR_MS }: { readonly validFromMs?: number } = {},
): Promise<OperatorCa> {
  const validity = { notBeforeMs: validFromMs, notAfterMs: nowMs + YEAR_MS };
  const root = { subject: `CN=${name} root`, key: await generateKey(softwareProvider, true) };
  const key = await generateKey(softwareProvider, true);
  const caCert = await issueIntermediate(root, `CN=${name} ca`, key.publicKey, validity);
  return { rootCert: await issueRoot(root, validity), caCert, caKey: await exportPrivateKey(key) };
}

/** Data of a Secret `cacerts`, as Istio users know it. */
export function cacertsOf({ caCert, caKey, rootCert }: OperatorCa): Record<string, string> {
  return encoded({
    'ca-cert.pem': caCert,
    'ca-key.pem': caKey,
    'root-cert.pem': rootCert,
    'cert-chain.pem': caCert,
  });
}

/** Data of a Secret as cert-manager writes it for a Certificate with `isCA`. */
export function certManagerSecretOf({ caCert, caKey, rootCert }: OperatorCa): Record<string, string> {
  return encoded({ 'tls.crt': caCert, 'tls.key': caKey, 'ca.crt': rootCert });
}

function encoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
}
