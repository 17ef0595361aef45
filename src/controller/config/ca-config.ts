import type { EnvReader } from '#shared/config/env-reader.ts';
import { readTrustDomain } from '#shared/config/trust-domain.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import type { SourceConfig } from './source-config.ts';

export interface CaConfig {
  readonly trustDomain: TrustDomain;
  /** Keys and state of our own CA, and the key of join tokens. */
  readonly directory: string;
  /** A CA the operator gave; undefined: our own. */
  readonly pluggedDirectory: string | undefined;
  /** Where the roots are written for proxies that read them from a file; undefined: nowhere. */
  readonly rootCertPath: string | undefined;
  readonly leafTtlMs: number;
  readonly maxLeafTtlMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const DEFAULT_DATA_DIR = '/var/lib/ambient-mesh';

export function readCa(env: EnvReader, source: SourceConfig['kind']): CaConfig {
  const dataDir = env.string('DATA_DIR', DEFAULT_DATA_DIR, 'directory for what has to survive a restart');
  const trustDomain = readTrustDomain(env, 'trust domain of the identities');
  const ttl = { minMs: MINUTE_MS, maxMs: 90 * DAY_MS };
  const leafTtlMs = env.durationMs(
    'WORKLOAD_CERT_TTL',
    '24h',
    ttl,
    'life of certificates for which none is asked',
  );
  const maxLeafTtlMs = env.durationMs(
    'MAX_WORKLOAD_CERT_TTL',
    '90d',
    ttl,
    'longest life that may be asked for',
  );
  if (maxLeafTtlMs < leafTtlMs) env.reject('MAX_WORKLOAD_CERT_TTL', 'is shorter than WORKLOAD_CERT_TTL');
  return {
    trustDomain,
    directory: env.string('CA_DIR', dataDir, 'directory of the CA and its keys; default: DATA_DIR'),
    pluggedDirectory: env.optional(
      'CACERTS_DIR',
      'directory with ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem: use this CA',
    ),
    rootCertPath: rootCertPath(env, dataDir, source),
    leafTtlMs,
    maxLeafTtlMs,
  };
}

function rootCertPath(env: EnvReader, dataDir: string, source: SourceConfig['kind']): string | undefined {
  const path = env.string(
    'ROOT_CERT_FILE',
    `${dataDir}/root-cert.pem`,
    'file the trusted roots are written to; in a cluster they are in a ConfigMap',
  );
  return source === 'kubernetes' ? undefined : path;
}
