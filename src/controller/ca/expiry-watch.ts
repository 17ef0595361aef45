import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { expiryWarning, firstToEnd } from './chain-expiry.ts';

export interface ExpiryWatchOptions {
  readonly ca: Pick<CertificateAuthority, 'chain' | 'source'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly faults: StandingFaults;
}

const LOOK_MS = 60_000;
const FAULT = 'end of the CA';

/** Says well before that a certificate of the CA ends: in the log once when that begins and once when it has ended, and as a warning that stands. */
export class ExpiryWatch {
  readonly #options: ExpiryWatchOptions;
  #timer: Timer | undefined;
  #said: 'nothing' | 'ends' | 'ended' = 'nothing';

  constructor(options: ExpiryWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#look();
    this.#timer = this.#options.clock.setTimer(LOOK_MS, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { ca, clock, faults, logger } = this.#options;
    const nowMs = clock.now();
    const warning = expiryWarning(ca.chain, ca.source, nowMs);
    faults.set(FAULT, warning);
    const hasEnded = (firstToEnd(ca.chain)?.notAfterMs ?? Number.POSITIVE_INFINITY) <= nowMs;
    const state = warning === undefined ? 'nothing' : hasEnded ? 'ended' : 'ends';
    if (state === this.#said) return;
    this.#said = state;
    if (state === 'nothing') logger.info('certificates of the CA are good for a while again');
    else
      logger[state === 'ends' ? 'warn' : 'error']('a certificate of the CA is near its end', {
        reason: warning,
      });
  }
}
