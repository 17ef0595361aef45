import type { EnvReader } from '#shared/config/env-reader.ts';
import { parseControllerAddress } from '#shared/discovery/controller-credentials.ts';
import { canonicalIp, parseHostPort } from '#shared/workload/ip.ts';

export interface Address {
  readonly ip: string;
  readonly port: number;
}

export function readController(env: EnvReader, name: string, description: string): string | undefined {
  const text = env.optional(name, description);
  if (text === undefined) return undefined;
  const address = parseControllerAddress(text);
  if (address === undefined)
    env.reject(name, `${JSON.stringify(text)} is not accepted; use host:port or https://host:port`);
  return address;
}

export function readIp(env: EnvReader, name: string, defaultValue: string, description: string): string {
  const text = env.ip(name, defaultValue, description);
  return canonicalIp(text) ?? text;
}

export function readAddress(
  env: EnvReader,
  name: string,
  defaultText: string,
  description: string,
): Address | undefined {
  const text = env.string(name, defaultText, description);
  if (text === 'off') return undefined;
  const parsed = parseHostPort(text);
  const ip = parsed === undefined ? undefined : canonicalIp(parsed.host);
  if (parsed === undefined || ip === undefined) {
    env.reject(name, `${JSON.stringify(text)} is not accepted; use IP:PORT ([IPv6]:PORT) or off`);
    return undefined;
  }
  return { ip, port: parsed.port };
}

/** Comma-separated; blanks and empty parts do not count. */
export function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
}
