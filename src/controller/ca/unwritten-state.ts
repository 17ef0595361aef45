import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';

interface Unwritten {
  readonly what: string;
  /** What comes of it when this process is started anew meanwhile. */
  readonly consequence: string;
  /** Undefined: it is written again. */
  readonly reason: string | undefined;
}

/** To be told once when it begins and once when it ends: the log has a line each, and the warning stands in between. */
export function tellUnwritten(
  logger: Logger,
  faults: StandingFaults,
  { consequence, reason, what }: Unwritten,
): void {
  if (reason === undefined) {
    logger.info('state written again', { what });
    faults.set(what, undefined);
    return;
  }
  logger.error('state not written, trying again', { what, consequence, reason });
  faults.set(what, `state not kept: ${what} cannot be written: ${reason}; ${consequence}`);
}

/** Of a CA that we made: for its `onUnwritten`. */
export function tellUnwrittenCa(logger: Logger, faults: StandingFaults): (cause: unknown) => void {
  return cause => {
    tellUnwritten(logger, faults, {
      what: 'the state of the CA',
      consequence: 'finish no root rotation after a restart: it would not know how long old leaves live',
      reason: cause === undefined ? undefined : errorMessage(cause),
    });
  };
}
