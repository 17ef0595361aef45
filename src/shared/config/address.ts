import { canonicalIp, parseHostPort } from '../workload/ip.ts';
import type { EnvReader } from './env-reader.ts';

/** Where something listens; the IP address is canonical text. */
export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** An IP address in canonical form. */
export function readIp(env: EnvReader, name: string, defaultValue: string, description: string): string {
  const text = env.ip(name, defaultValue, description);
  return canonicalIp(text) ?? text;
}

/** `ip:port`, IPv6 in brackets; undefined when `off`, or wrong and rejected. */
export function readAddress(
  env: EnvReader,
  name: string,
  defaultText: string,
  description: string,
): Address | undefined {
  const text = env.string(name, defaultText, description);
  return text === 'off' ? undefined : parseAddress(env, name, text);
}

/** As `readAddress`, where `off` is rejected. What is wrong reads as a placeholder: `env.finish()` throws. */
export function readRequiredAddress(
  env: EnvReader,
  name: string,
  defaultText: string,
  description: string,
): Address {
  const text = env.string(name, defaultText, description);
  if (text === 'off') env.reject(name, 'cannot be off');
  const address = text === 'off' ? undefined : parseAddress(env, name, text);
  return address ?? { ip: '0.0.0.0', port: 0 };
}

function parseAddress(env: EnvReader, name: string, text: string): Address | undefined {
  const parsed = parseHostPort(text);
  const ip = parsed === undefined ? undefined : canonicalIp(parsed.host);
  if (parsed !== undefined && ip !== undefined) return { ip, port: parsed.port };
  env.reject(name, `${JSON.stringify(text)} is not accepted; use IP:PORT ([IPv6]:PORT) or off`);
  return undefined;
}
