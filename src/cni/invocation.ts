import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';
import type { Environment } from '#shared/config/env-reader.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { CniError, CniErrorCode } from './cni-error.ts';

export const SUPPORTED_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export const NEWEST_VERSION = '1.1.0';
export const MAX_CONFIG_BYTES = 1 << 20;

/** The plugin's own entry in the network's configuration, as ztunnel writes it. */
export interface PluginConfig {
  readonly cniVersion: string;
  readonly socket: string;
  readonly failOpen: boolean;
  readonly excludedNamespaces: readonly string[];
  readonly api: ApiAccess | undefined;
  /** What the plugins before in the chain have made; undefined at DEL of what was never made. */
  readonly prevResult: JsonObject | undefined;
}

/** How the API server is asked when no ztunnel answers. */
export interface ApiAccess {
  readonly host: string;
  readonly port: number;
  readonly accountDir: string;
}

/** The pod that a call is about. */
export interface PodArgs {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Throws `CniError`. */
export function parseConfig(text: string): PluginConfig {
  const config = decode(text);
  const { cniVersion, socket, failOpen = false, excludedNamespaces = [], prevResult } = config;
  if (typeof cniVersion !== 'string' || !isSupported(cniVersion)) {
    throw new CniError(
      CniErrorCode.incompatibleVersion,
      `cniVersion ${JSON.stringify(cniVersion)} is not supported; use one of ${SUPPORTED_VERSIONS.join(', ')}`,
    );
  }
  if (typeof socket !== 'string' || !socket.startsWith('/')) throw invalid('socket', 'an absolute path');
  if (typeof failOpen !== 'boolean') throw invalid('failOpen', 'true or false');
  if (!isTexts(excludedNamespaces)) throw invalid('excludedNamespaces', 'a list of names');
  if (prevResult !== undefined && !isJsonObject(prevResult)) throw invalid('prevResult', 'an object');
  return { cniVersion, socket, failOpen, excludedNamespaces, api: apiAccess(config['api']), prevResult };
}

/** Undefined: not a pod of Kubernetes, or a runtime that does not say which; `CNI_ARGS` is a list of `key=value;…`. */
export function podOf(env: Environment): PodArgs | undefined {
  const args = new Map<string, string>();
  for (const pair of (env['CNI_ARGS'] ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0) args.set(pair.slice(0, at), pair.slice(at + 1));
  }
  const namespace = args.get('K8S_POD_NAMESPACE') ?? '';
  const name = args.get('K8S_POD_NAME') ?? '';
  const uid = args.get('K8S_POD_UID') ?? '';
  return namespace === '' || name === '' || uid === '' ? undefined : { namespace, name, uid };
}

/** Addresses of the pod, without prefix lengths. */
export function addressesOf(result: JsonObject | undefined): string[] {
  const ips = result?.['ips'];
  if (!Array.isArray(ips)) return [];
  return ips.flatMap((entry: unknown) => {
    const address = isJsonObject(entry) ? entry['address'] : undefined;
    return typeof address === 'string' ? [address.split('/', 1)[0] ?? ''] : [];
  });
}

function decode(text: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    const reason = errorMessage(cause);
    throw new CniError(CniErrorCode.decodeFailure, `the network configuration is not JSON: ${reason}`);
  }
  if (!isJsonObject(value))
    throw new CniError(CniErrorCode.decodeFailure, 'the network configuration is not an object');
  return value;
}

function apiAccess(value: unknown): ApiAccess | undefined {
  if (value === undefined) return undefined;
  if (!isJsonObject(value)) throw invalid('api', 'an object');
  const { host, accountDir } = value;
  const port = Number(value['port']);
  if (typeof host !== 'string' || typeof accountDir !== 'string' || !Number.isInteger(port)) {
    throw invalid('api', '{host, port, accountDir}');
  }
  return { host, port, accountDir };
}

function isSupported(version: string): boolean {
  return SUPPORTED_VERSIONS.some(known => known === version);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string');
}

function invalid(field: string, expected: string): CniError {
  return new CniError(
    CniErrorCode.invalidConfig,
    `${field} of the plugin's configuration is not ${expected}`,
  );
}
