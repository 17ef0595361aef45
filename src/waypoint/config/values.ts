import type { EnvReader } from '#shared/config/env-reader.ts';
import { parseControllerAddress } from '#shared/discovery/controller-credentials.ts';
import { canonicalIp, parseHostPort } from '#shared/workload/ip.ts';

export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** `host:port` of a controller; undefined when not set. */
export function readController(env: EnvReader, name: string, description: string): string | undefined {
  const text = env.optional(name, description);
  if (text === undefined) return undefined;
  const address = parseControllerAddress(text);
  if (address === undefined) {
    env.reject(name, `${JSON.stringify(text)} is not accepted; use host:port or https://host:port`);
  }
  return address;
}

/** `ip:port`, IPv6 in brackets; undefined when `off` or empty. */
export function readAddress(
  env: EnvReader,
  name: string,
  defaultText: string,
  description: string,
): Address | undefined {
  const text = env.string(name, defaultText, description);
  if (text === 'off' || text === '') return undefined;
  const parsed = parseHostPort(text);
  const ip = parsed === undefined ? undefined : canonicalIp(parsed.host);
  if (parsed === undefined || ip === undefined) {
    env.reject(name, `${JSON.stringify(text)} is not accepted; use IP:PORT ([IPv6]:PORT) or off`);
    return undefined;
  }
  return { ip, port: parsed.port };
}
