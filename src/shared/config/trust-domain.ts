import { parseTrustDomain, type TrustDomain, trustDomainFault } from '../spiffe/trust-domain.ts';
import type { EnvReader } from './env-reader.ts';

const DEFAULT_TRUST_DOMAIN = 'cluster.local';

/** `TRUST_DOMAIN` of any tier. What is wrong reads as the default: `env.finish()` throws. */
export function readTrustDomain(env: EnvReader, description: string): TrustDomain {
  const text = env.string('TRUST_DOMAIN', DEFAULT_TRUST_DOMAIN, description);
  const fault = trustDomainFault(text);
  if (fault !== undefined) env.reject('TRUST_DOMAIN', `${JSON.stringify(text)}: ${fault}`);
  return parseTrustDomain(fault === undefined ? text : DEFAULT_TRUST_DOMAIN);
}
