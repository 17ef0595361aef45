import { canonicalIp, isLoopback, parseHostPort } from '../workload/ip.ts';
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

/** `ADMIN_ADDR` of any tier: who reaches it may change log levels and see the whole mesh, so the network must not. */
export function readAdminAddress(env: EnvReader, defaultText: string): Address | undefined {
  const address = readAddress(
    env,
    'ADMIN_ADDR',
    defaultText,
    'admin address (config_dump, logging, …), or off; must be a loopback address',
  );
  if (address !== undefined && !isLoopback(address.ip)) {
    env.reject(
      'ADMIN_ADDR',
      `${address.ip} is not a loopback address; use 127.0.0.1 or ADMIN_UNIX_SOCKET (metrics are on STATS_ADDR)`,
    );
  }
  return address;
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
