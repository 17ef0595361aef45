import type { EngineName } from '../engine/choose-engine.ts';
import type { EngineOptions, MeasuredEngine } from '../engine/engine-options.ts';
import { createSharedNativeEngine } from '../engine/native/native-engine.ts';
import { createNodeEngine } from '../engine/node/node-engine.ts';

/** The engine that behavioural tests run on: `TEST_ENGINE=node|native`. `npm test` runs them on both. */
export function testEngineName(): EngineName {
  return process.env['TEST_ENGINE'] === 'native' ? 'native' : 'node';
}

export function createTestEngine(options: EngineOptions, name = testEngineName()): MeasuredEngine {
  return name === 'native' ? createSharedNativeEngine(options) : createNodeEngine(options);
}
