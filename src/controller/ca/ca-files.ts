import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecretData } from './secret-data.ts';

/** A CA that an operator brings; PEM. */
export interface CaFiles {
  readonly caCert: string;
  readonly caKey: string;
  /** From the CA's certificate up. */
  readonly certChain: string;
  /** One root or several. */
  readonly rootCert: string;
}

/** Where they come from. `name` is for messages. */
export interface CaFileSource {
  readonly name: string;
  /** Rejects with what is missing. */
  read(): Promise<CaFiles>;
}

const NAMES = {
  caCert: 'ca-cert.pem',
  caKey: 'ca-key.pem',
  certChain: 'cert-chain.pem',
  rootCert: 'root-cert.pem',
} as const;

/** A directory in the layout of Istio's `cacerts`. */
export function directoryCaFiles(directory: string): CaFileSource {
  return {
    name: `CA files in ${directory}`,
    async read() {
      const file = (name: string): Promise<string> => readFile(join(directory, name), 'utf8');
      return {
        caCert: await file(NAMES.caCert),
        rootCert: await file(NAMES.rootCert),
        certChain: await file(NAMES.certChain),
        caKey: await file(NAMES.caKey),
      };
    },
  };
}

/** A Secret with the same names as keys, or as cert-manager writes a CA it issued. @throws Error naming what is missing. */
export function caFilesOf({ data }: SecretData): CaFiles {
  const get = (key: string): string => {
    const text = data.get(key);
    if (text === undefined) throw new Error(`${key} is missing`);
    return text;
  };
  if (data.has('tls.crt')) {
    // The certificate comes first in its chain.
    const chain = get('tls.crt');
    return {
      caCert: firstCertificate(chain),
      caKey: get('tls.key'),
      certChain: chain,
      rootCert: get('ca.crt'),
    };
  }
  return {
    caCert: get(NAMES.caCert),
    caKey: get(NAMES.caKey),
    certChain: data.get(NAMES.certChain) ?? get(NAMES.caCert),
    rootCert: get(NAMES.rootCert),
  };
}

function firstCertificate(chain: string): string {
  const end = '-----END CERTIFICATE-----';
  const at = chain.indexOf(end);
  return at < 0 ? chain : `${chain.slice(0, at + end.length)}\n`;
}
