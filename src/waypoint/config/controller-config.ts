import { readControllerAddress } from '#shared/config/controller-address.ts';
import type { EnvReader } from '#shared/config/env-reader.ts';

export interface ControllerConfig {
  readonly address: string;
  readonly caAddress: string;
  readonly rootCa: string;
  readonly caRootCa: string;
  readonly tokenPath: string | undefined;
}

export interface CertificateConfig {
  readonly fakeCa: boolean;
  readonly certificateTtlMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export function readController(env: EnvReader): ControllerConfig | undefined {
  const address = readControllerAddress(env, 'XDS_ADDRESS', 'controller: host:port, https://host:port');
  const caAddress = readControllerAddress(env, 'CA_ADDRESS', 'certificate authority; default: XDS_ADDRESS');
  const rootCa = env.string(
    'XDS_ROOT_CA',
    '/var/run/secrets/istio/root-cert.pem',
    "roots of the controller's certificate: a path, or PEM text",
  );
  const caRootCa = env.string('CA_ROOT_CA', rootCa, "roots of the CA's certificate; default: XDS_ROOT_CA");
  const token = env.string(
    'TOKEN_PATH',
    '/var/run/secrets/tokens/istio-token',
    'file with the token that proves to controller and CA who asks, or off',
  );
  if (address === undefined) return undefined;
  const tokenPath = token === 'off' ? undefined : token;
  return { address, caAddress: caAddress ?? address, rootCa, caRootCa, tokenPath };
}

export function readCertificates(env: EnvReader): CertificateConfig {
  return {
    fakeCa: env.boolean(
      'FAKE_CA',
      false,
      'sign certificates in this process with a key everybody knows: for trials',
    ),
    certificateTtlMs: env.durationMs(
      'SECRET_TTL',
      '24h',
      { minMs: MINUTE_MS, maxMs: 90 * DAY_MS },
      'life of certificates asked for',
    ),
  };
}
