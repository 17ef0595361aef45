import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvoyTlsFiles } from './envoy-config.ts';
import { issueFakeMaterial } from './fake-material.ts';

/** The files of a certificate for `identity`, for an Envoy that believes `peerIdentity` alone. */
export async function writeEnvoyTls(
  directory: string,
  identity: string,
  peerIdentity: string,
): Promise<EnvoyTlsFiles> {
  const material = await issueFakeMaterial(identity);
  const write = (name: string, content: string): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  return {
    certChain: write('chain.pem', material.certChainPem),
    privateKey: write('key.pem', material.privateKeyPem),
    trustBundle: write('roots.pem', material.trustBundlePem),
    peerIdentity,
  };
}
