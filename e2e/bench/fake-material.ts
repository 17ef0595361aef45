import { createFakeCa } from '#shared/identity/fake-ca.ts';
import type { TlsMaterial } from '#shared/engine/engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { createCsr } from '#shared/pki/csr.ts';
import { exportPrivateKey, generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';

/** A certificate of the CA that measured ztunnels run with (`FAKE_CA`), so that both contenders verify the same chain. */
export async function issueFakeMaterial(identity: string): Promise<TlsMaterial> {
  const key = await generateKey(softwareProvider, true);
  const spiffeId = parseSpiffeId(identity);
  const request = await createFakeCa(systemClock);
  const [leaf = '', root = ''] = await request(
    { csrPem: await createCsr(key, spiffeId), identity: spiffeId, ttlMs: 0 },
    AbortSignal.timeout(10_000),
  );
  return { certChainPem: leaf, privateKeyPem: await exportPrivateKey(key), trustBundlePem: root };
}
