import { readFileSync } from 'node:fs';
import { createSharedNativeEngine } from '#shared/engine/native/native-engine.ts';
import type { Engine, TlsMaterial } from '#shared/engine/engine.ts';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';

/** What the programs on both sides of a measured proxy run on: the same for all contenders. */
export function createPeerEngine(): Engine {
  return createSharedNativeEngine({ clock: systemClock });
}

/** @param path of a JSON file that the bench has written */
export function readMaterial(path: string): TlsMaterial {
  const value = parseJson(readFileSync(path, 'utf8'));
  const text = (field: string): string => {
    const found = isJsonObject(value) ? value[field] : undefined;
    if (typeof found !== 'string') throw new Error(`${path}: ${field} is not there`);
    return found;
  };
  return {
    certChainPem: text('certChainPem'),
    privateKeyPem: text('privateKeyPem'),
    trustBundlePem: text('trustBundlePem'),
  };
}
