import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stagedPath } from '#shared/config/staged-file.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { type CertificateManager, type CertificateUpdate } from '#shared/identity/certificate-manager.ts';
import { decodeSnapshot, encodeSnapshot } from '#shared/identity/certificate-snapshot.ts';
import { isMemoryBacked } from '#shared/native/memory-backed.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { WorkerPool } from '../workers/worker-pool.ts';

export interface CertificateFeedOptions {
  readonly manager: CertificateManager;
  readonly workers: WorkerPool;
  readonly stateDir: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const FILE = 'certificates.json';
/** Renewals of many pods come together. */
const SAVE_DELAY_MS = 100;

/**
 * Brings certificates from the manager to the traffic threads, and keeps them in the state directory for a restart
 * without the CA, but only where what is written stays in memory: private keys are among them.
 */
export class CertificateFeed {
  readonly #options: CertificateFeedOptions;
  readonly #path: string | undefined;
  readonly #unsubscribe: () => void;
  #timer: Timer | undefined;
  #saving: Promise<void> = Promise.resolve();

  /** Throws when the state directory cannot be made. */
  constructor(options: CertificateFeedOptions) {
    this.#options = options;
    this.#path = keyFile(options);
    this.#unsubscribe = options.manager.subscribe(update => this.#onUpdate(update));
  }

  /** Takes over what an earlier process has left. */
  restore(): void {
    const { logger, manager } = this.#options;
    if (this.#path === undefined) return;
    const text = readIfThere(this.#path);
    if (text === undefined) return;
    const decoded = decodeSnapshot(text);
    if (!decoded.ok) {
      logger.error('certificates of the state directory ignored', {
        path: this.#path,
        reason: decoded.reason,
      });
      return;
    }
    try {
      for (const { identity, reason } of manager.import(decoded.snapshot)) {
        logger.info('a certificate of the state directory is not used', { identity, reason });
      }
      logger.info('certificates restored', { certificates: decoded.snapshot.certificates.length });
    } catch (error) {
      logger.error('certificates of the state directory ignored', {
        path: this.#path,
        reason: errorMessage(error),
      });
    }
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    if (this.#timer !== undefined) this.#save();
    await this.#saving;
  }

  #onUpdate(update: CertificateUpdate): void {
    const { clock, workers } = this.#options;
    if (update.type === 'certificate') workers.setCertificate(update.material.identity, update.material);
    else workers.removeCertificate(update.identity);
    if (this.#path !== undefined) this.#timer ??= clock.setTimer(SAVE_DELAY_MS, () => this.#save());
  }

  #save(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const snapshot = this.#options.manager.export();
    const path = this.#path;
    if (snapshot === undefined || path === undefined) return;
    // One after the other: two would share the temporary file.
    this.#saving = this.#saving.then(async () => {
      try {
        const temporary = stagedPath(path);
        await writeFile(temporary, encodeSnapshot(snapshot), { mode: 0o600 });
        await rename(temporary, path);
        this.#options.logger.debug('certificates written to the state directory', { path });
      } catch (error) {
        this.#options.logger.error('certificates not written to the state directory', {
          path,
          reason: errorMessage(error),
        });
      }
    });
  }
}

/** Where keys may be written; undefined when nowhere. */
function keyFile({ stateDir, logger }: CertificateFeedOptions): string | undefined {
  if (stateDir === undefined) return undefined;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  if (!isMemoryBacked(stateDir)) {
    logger.info('STATE_DIR is on a disk: keys are not kept; a restart needs the CA', { path: stateDir });
    return undefined;
  }
  chmodSync(stateDir, 0o700);
  return join(stateDir, FILE);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
