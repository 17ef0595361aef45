import type { Clock } from '../lifecycle/clock.ts';
import { StandingFaults } from '../lifecycle/standing-faults.ts';
import type { Logger } from '../observability/logger.ts';
import { StateFile } from '../state/state-file.ts';
import { quietLogger } from './quiet-logger.ts';

/** A state file of a test that is about what is in it. */
export function testStateFile(path: string, clock: Clock, logger: Logger = quietLogger): StateFile {
  return new StateFile({
    path,
    holds: 'configuration',
    clock,
    random: () => 0.5,
    logger,
    faults: new StandingFaults(),
    onFailure: () => undefined,
  });
}
