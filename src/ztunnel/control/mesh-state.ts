import type { DiscoveryStatus } from '#shared/discovery/discovery-source.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { MeshGate } from '../pod/mesh-gate.ts';

export interface MeshStateOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** For as long connections of captured pods wait, after that they are refused. */
  readonly graceMs: number;
  readonly stateDir: string | undefined;
  /** Once: every type of the configuration has been told. */
  readonly onKnown: () => void;
}

const SAY_EVERY_MS = 60_000;

/** Whether this process knows the mesh: from the disk or from the controller, every type of it once. */
export class MeshState {
  readonly gate: MeshGate;
  /** Where it is to come from. */
  source: () => Pick<DiscoveryStatus, 'source' | 'lastError'> = () => ({ source: '', lastError: undefined });
  readonly #options: MeshStateOptions;
  #isTold = false;
  #timer: Timer | undefined;

  constructor(options: MeshStateOptions) {
    this.#options = options;
    this.gate = new MeshGate(options.clock, options.graceMs);
  }

  /** Some of it has come, perhaps not all: a snapshot is told type by type. */
  told(): void {
    this.#isTold = true;
  }

  /** What there was on the disk has been told. */
  started(): void {
    if (this.#isTold) this.#known();
    else this.#sayAfter(this.#options.graceMs);
  }

  /** The source has told everything. */
  synced(): void {
    this.#known();
  }

  /** Why it is not known, and what that means; nothing when it is. */
  missing(): string[] {
    if (this.gate.known) return [];
    const { stateDir } = this.#options;
    const { source, lastError } = this.source();
    const disk = stateDir === undefined ? 'STATE_DIR is not set' : `no usable snapshot in ${stateDir}`;
    const reason = lastError === undefined ? '' : ` (${lastError})`;
    return [
      `captured pods are refused, but for those that an older ztunnel of this node serves: ${disk}, and ${source} has not told everything yet${reason}`,
    ];
  }

  close(): void {
    this.#timer?.cancel();
  }

  #known(): void {
    this.#timer?.cancel();
    if (this.gate.known) return;
    this.gate.open();
    this.#options.onKnown();
  }

  #sayAfter(ms: number): void {
    const { clock, logger } = this.#options;
    this.#timer = clock.setTimer(ms, () => {
      logger.error('the mesh is not known', { error: this.missing().join('; ') });
      this.#sayAfter(SAY_EVERY_MS);
    });
  }
}
