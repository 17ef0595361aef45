import { readFile } from 'node:fs/promises';
import type { EnvReader } from '../config/env-reader.ts';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Far more than any token or bundle of authorities. */
const MAX_FILE_BYTES = 1 << 20;

/** How a pod reaches the API server of its cluster. */
export interface ClusterAccess {
  readonly host: string;
  readonly port: number;
  /** Both are replaced while the process runs, so they are read for each request. */
  readonly tokenFile: string;
  readonly caFile: string;
}

/** The kubelet sets the address, and mounts the two files, in every pod. */
export function readClusterAccess(env: EnvReader): ClusterAccess {
  return {
    host: env.string('KUBERNETES_SERVICE_HOST', '', 'address of the API server; set by the kubelet'),
    port: env.integer(
      'KUBERNETES_SERVICE_PORT',
      443,
      { min: 1, max: 65_535 },
      'port of the API server; set by the kubelet',
    ),
    tokenFile: env.string('KUBE_TOKEN_FILE', `${ACCOUNT}/token`, 'token for the API server'),
    caFile: env.string('KUBE_CA_FILE', `${ACCOUNT}/ca.crt`, "authorities of the API server's certificate"),
  };
}

/** Rejects, naming the file, when it cannot be read or is no such file. */
export async function readCredential(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error(
      `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}; is the service account mounted?`,
      { cause },
    );
  });
  if (text.length > MAX_FILE_BYTES || text.trim() === '') throw new Error(`${path} is empty or far too long`);
  return text.trim();
}
