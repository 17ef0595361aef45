import { readControllerAddress } from '#shared/config/controller-address.ts';
import type { EnvReader } from '#shared/config/env-reader.ts';

export interface DiscoveryConfig {
  /** `host:port`; undefined with a local file. */
  readonly address: string | undefined;
  /** PEM text or path. */
  readonly rootCa: string;
  readonly tokenPath: string | undefined;
  readonly localPath: string | undefined;
}

export interface CertificateConfig {
  readonly fake: boolean;
  readonly address: string | undefined;
  readonly rootCa: string;
  readonly ttlMs: number;
}

const DEFAULT_TOKEN_PATH = '/var/run/secrets/tokens/istio-token';
const DEFAULT_ROOT_CA = '/var/run/secrets/istio/root-cert.pem';
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export function readDiscovery(env: EnvReader): DiscoveryConfig {
  const address = readControllerAddress(env, 'XDS_ADDRESS', 'controller: host:port, https://host:port');
  const localPath = env.optional(
    'LOCAL_XDS_PATH',
    'file with workloads, services and policies, instead of a controller',
  );
  if (address === undefined && localPath === undefined)
    env.reject('XDS_ADDRESS', 'is not set, and neither is LOCAL_XDS_PATH: one of them is needed');
  if (env.boolean('XDS_ON_DEMAND', false, 'ask for workloads as they are needed; only false is supported')) {
    env.reject('XDS_ON_DEMAND', 'true is not supported: this proxy subscribes to everything');
  }
  return {
    address,
    localPath,
    rootCa: env.string(
      'XDS_ROOT_CA',
      DEFAULT_ROOT_CA,
      "roots of the controller's certificate: a path, or PEM text",
    ),
    tokenPath: tokenPath(env),
  };
}

function tokenPath(env: EnvReader): string | undefined {
  const path = env.string(
    'TOKEN_PATH',
    DEFAULT_TOKEN_PATH,
    'file with the token that proves to controller and CA who asks, or off',
  );
  return path === 'off' ? undefined : path;
}

export function readCertificates(env: EnvReader, discovery: DiscoveryConfig): CertificateConfig {
  const fake = env.boolean(
    'FAKE_CA',
    false,
    'sign certificates in this process with a key that everybody knows: for trials alone',
  );
  const address =
    readControllerAddress(env, 'CA_ADDRESS', 'certificate authority; default: XDS_ADDRESS') ??
    discovery.address;
  if (!fake && address === undefined)
    env.reject(
      'CA_ADDRESS',
      'is not set, and neither is XDS_ADDRESS or FAKE_CA=true: nobody would sign certificates',
    );
  return {
    fake,
    address,
    rootCa: env.string(
      'CA_ROOT_CA',
      discovery.rootCa,
      "roots of the CA's certificate: a path, or PEM text; default: XDS_ROOT_CA",
    ),
    ttlMs: env.durationMs(
      'SECRET_TTL',
      '24h',
      { minMs: MINUTE_MS, maxMs: 90 * DAY_MS },
      'life of certificates asked for',
    ),
  };
}
