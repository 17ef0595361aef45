import { parseArgs } from 'node:util';
import { parseDuration } from '#shared/config/env-reader.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { softwareProvider } from '#shared/pki/crypto-provider.ts';
import { formatSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { createJoinTokens } from './ca/join-token.ts';
import { directoryKeyStore, loadOrCreateKey } from './ca/key-store.ts';

/**
 * Prints a join token, from the CA's directory and without a running controller:
 * `CA_DIR=… node src/controller/token.ts --namespace shop --service-account orders [--node node-a] [--ttl 720h]`
 */
async function main(): Promise<string> {
  const { values } = parseArgs({
    options: {
      namespace: { type: 'string' },
      'service-account': { type: 'string' },
      node: { type: 'string' },
      ttl: { type: 'string', default: '720h' },
    },
  });
  const directory = process.env['CA_DIR'];
  const { namespace, node, 'service-account': serviceAccount, ttl } = values;
  if (directory === undefined || namespace === undefined || serviceAccount === undefined) {
    throw new Error('set CA_DIR, --namespace and --service-account');
  }
  const ttlMs = parseDuration(ttl);
  if (ttlMs === undefined) throw new Error(`--ttl ${JSON.stringify(ttl)}: write it as 24h`);
  const trustDomain = parseTrustDomain(process.env['TRUST_DOMAIN'] ?? 'cluster.local');
  const key = await loadOrCreateKey(directoryKeyStore(directory, softwareProvider), 'join-token');
  const tokens = await createJoinTokens({ clock: systemClock, key, trustDomain });
  const identity = formatSpiffeId({ trustDomain, namespace, serviceAccount });
  return tokens.create({ identity, ttlMs, ...(node === undefined ? {} : { node }) });
}

try {
  process.stdout.write(`${await main()}\n`);
} catch (error) {
  process.stderr.write(`token: ${errorMessage(error)}\n`);
  process.exitCode = 1;
}
