import { issueIntermediate, issueRoot } from '#shared/pki/certificate.ts';
import {
  exportPrivateKey,
  generateKey,
  type KeyHandle,
  softwareProvider,
} from '#shared/pki/crypto-provider.ts';

/** A CA as an operator has it: PEM texts. */
export interface OperatorCa {
  readonly rootCert: string;
  readonly caCert: string;
  readonly caKey: string;
  /** What stands between `caCert` and the root. */
  readonly above: string;
}

export interface OperatorCaTimes {
  readonly validFromMs?: number;
  readonly rootUntilMs?: number;
  readonly caUntilMs?: number;
  /** There is another intermediate above, which ends then. */
  readonly aboveUntilMs?: number;
}

const YEAR_MS = 365 * 86_400_000;
const HOUR_MS = 3_600_000;

/** An operator's root, which signs what is put into the mesh. */
export class OperatorRoot {
  readonly name: string;
  readonly rootCert: string;
  readonly #key: KeyHandle;

  private constructor(name: string, key: KeyHandle, rootCert: string) {
    this.name = name;
    this.#key = key;
    this.rootCert = rootCert;
  }

  /** An hour old, and good for a year, where nothing else is said. */
  static async create(name: string, nowMs: number, times: OperatorCaTimes = {}): Promise<OperatorRoot> {
    const { rootUntilMs = nowMs + YEAR_MS, validFromMs = nowMs - HOUR_MS } = times;
    const key = await generateKey(softwareProvider, true);
    const validity = { notBeforeMs: validFromMs, notAfterMs: rootUntilMs };
    return new OperatorRoot(name, key, await issueRoot({ subject: `CN=${name} root`, key }, validity));
  }

  async issueCa(nowMs: number, times: OperatorCaTimes = {}): Promise<OperatorCa> {
    const { aboveUntilMs, caUntilMs = nowMs + YEAR_MS, validFromMs = nowMs - HOUR_MS } = times;
    const { name, rootCert } = this;
    let issuer = { subject: `CN=${name} root`, key: this.#key };
    let above = '';
    if (aboveUntilMs !== undefined) {
      const key = await generateKey(softwareProvider, true);
      const subject = `CN=${name} above`;
      const validity = { notBeforeMs: validFromMs, notAfterMs: aboveUntilMs };
      above = await issueIntermediate(issuer, subject, key.publicKey, validity);
      issuer = { subject, key };
    }
    const key = await generateKey(softwareProvider, true);
    const validity = { notBeforeMs: validFromMs, notAfterMs: caUntilMs };
    const caCert = await issueIntermediate(issuer, `CN=${name} ca`, key.publicKey, validity);
    return { rootCert, caCert, caKey: await exportPrivateKey(key), above };
  }
}

export async function createOperatorCa(
  name: string,
  nowMs: number,
  times: OperatorCaTimes = {},
): Promise<OperatorCa> {
  return (await OperatorRoot.create(name, nowMs, times)).issueCa(nowMs, times);
}

/** Data of a Secret `cacerts`, as Istio users know it. */
export function cacertsOf({ above, caCert, caKey, rootCert }: OperatorCa): Record<string, string> {
  return encoded({
    'ca-cert.pem': caCert,
    'ca-key.pem': caKey,
    'root-cert.pem': rootCert,
    'cert-chain.pem': caCert + above,
  });
}

/** Data of a Secret as cert-manager writes it for a Certificate with `isCA`. */
export function certManagerSecretOf({ above, caCert, caKey, rootCert }: OperatorCa): Record<string, string> {
  return encoded({ 'tls.crt': caCert + above, 'tls.key': caKey, 'ca.crt': rootCert });
}

function encoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
}
