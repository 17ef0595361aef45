import { arch, platform } from 'node:os';
import { isDirect as isDirectFunction } from '../native/direct-functions.ts';
import { libc } from '../native/libc.ts';
import { nativeSelfTest } from './native/self-test.ts';

export type EngineName = 'node' | 'native';

/** Which engine the traffic threads run on, and why: shown at start and in `/config_dump`. */
export interface EngineChoice {
  readonly name: EngineName;
  readonly reason: string;
}

const CHECKED_CALLS =
  'this runtime checks the arguments of each foreign call at run time (shared/native/direct-functions.ts)';

/**
 * `wanted` undefined: the native engine where it can run. It is asked for by name only to be told why it cannot: a self-test
 * that fails leaves the portable engine either way, since a proxy that does not start serves nobody.
 */
export function chooseEngine(
  wanted: EngineName | undefined,
  selfTest: () => string | undefined = nativeSelfTest,
  on = { os: platform(), cpu: arch() },
  isDirect: () => boolean = () => isDirectFunction(libc().read),
): EngineChoice {
  if (wanted === 'node') return { name: 'node', reason: 'ENGINE=node' };
  if (on.os !== 'linux' || (on.cpu !== 'x64' && on.cpu !== 'arm64'))
    return {
      name: 'node',
      reason: `the native engine needs Linux on x64 or arm64; this is ${on.os} on ${on.cpu}`,
    };
  const fault = selfTest();
  if (fault !== undefined)
    return { name: 'node', reason: `the self-test of the native engine failed: ${fault}` };
  const why = wanted === 'native' ? 'ENGINE=native' : 'self-test passed';
  return { name: 'native', reason: isDirect() ? why : `${why}; slow: ${CHECKED_CALLS}` };
}
