import type { EngineName } from '../engine/choose-engine.ts';
import type { EnvReader } from './env-reader.ts';

/** `ENGINE`; undefined: the native one where it can run. */
export function readEngine(env: EnvReader): EngineName | undefined {
  const name = env.oneOf(
    'ENGINE',
    ['auto', 'native', 'node'],
    'auto',
    'data path of the traffic threads; auto: native where its self-test passes, else node',
  );
  return name === 'auto' ? undefined : name;
}
