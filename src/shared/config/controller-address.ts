import { parseControllerAddress } from '../discovery/controller-credentials.ts';
import type { EnvReader } from './env-reader.ts';

/** `host:port` of a controller or CA; undefined when not set, or wrong and rejected. */
export function readControllerAddress(env: EnvReader, name: string, description: string): string | undefined {
  const text = env.optional(name, description);
  if (text === undefined) return undefined;
  const address = parseControllerAddress(text);
  if (address === undefined)
    env.reject(name, `${JSON.stringify(text)} is not accepted; use host:port or https://host:port`);
  return address;
}
