import { readFileSync } from 'node:fs';
import { createNodeEngine } from '#shared/engine/node/node-engine.ts';
import { createSharedNativeEngine } from '#shared/engine/native/native-engine.ts';
import type { Engine, TlsMaterial } from '#shared/engine/engine.ts';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';

/** What programs of the bench run on: beside a measured proxy always the same, whatever that runs on. */
export function createPeerEngine(name = 'native'): Engine {
  const options = { clock: systemClock };
  return name === 'node' ? createNodeEngine(options) : createSharedNativeEngine(options);
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
