import { readFileSync } from 'node:fs';
import type { ControllerEndpoint } from './controller-channel.ts';

/** How a proxy is told to reach a controller or CA. */
export interface ControllerAccess {
  readonly address: string;
  /** PEM text or path. */
  readonly rootCa: string;
  /** Undefined: no token is sent. */
  readonly tokenPath: string | undefined;
  readonly clusterId: string;
}

export function controllerEndpoint(access: ControllerAccess): ControllerEndpoint {
  const { address, clusterId, rootCa, tokenPath } = access;
  return {
    address,
    trustBundle: trustBundleReader(rootCa),
    token: tokenPath === undefined ? () => undefined : tokenReader(tokenPath),
    clusterId,
  };
}

/**
 * Trust bundle from an environment variable: PEM text itself, or the path of a file, read again at every call so that
 * a rotated root is picked up. The reader throws with the path when the file cannot be read or holds no certificate.
 */
export function trustBundleReader(pemOrPath: string): () => string {
  if (pemOrPath.includes(PEM_BEGIN)) return () => pemOrPath;
  return () => {
    const pem = readFileSync(pemOrPath, 'utf8');
    if (!pem.includes(PEM_BEGIN)) throw new Error(`${pemOrPath} holds no PEM certificate`);
    return pem;
  };
}

/** Bearer token from a file, read again at every call: projected tokens are replaced while we run. */
export function tokenReader(path: string): () => string {
  return () => {
    const token = readFileSync(path, 'utf8').trim();
    if (token === '') throw new Error(`token file ${path} is empty`);
    if (/[^\x21-\x7e]/.test(token)) throw new Error(`token file ${path} does not hold one token`);
    return token;
  };
}

/** `https://host:port`, `host:port` or `host` (port 15012) as `host:port`. Undefined when it is none of these. */
export function parseControllerAddress(text: string): string | undefined {
  const match = /^(?:https:\/\/)?(\[[0-9a-fA-F:.]+\]|[^/:\s]+)(?::(\d{1,5}))?\/?$/.exec(text);
  if (match === null) return undefined;
  const [, host, port = DEFAULT_PORT] = match;
  const number = Number(port);
  return number >= 1 && number <= 65_535 ? `${host}:${number}` : undefined;
}

const PEM_BEGIN = '-----BEGIN CERTIFICATE-----';
const DEFAULT_PORT = '15012';
