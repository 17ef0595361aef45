import { chmodSync, mkdirSync, statSync } from 'node:fs';
import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { type CertificateManager, type CertificateUpdate } from '#shared/identity/certificate-manager.ts';
import { decodeSnapshot, encodeSnapshot } from '#shared/identity/certificate-snapshot.ts';
import { isMemoryBacked } from '#shared/native/memory-backed.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { readIfThere } from '#shared/state/read-if-there.ts';
import type { StateFile } from '#shared/state/state-file.ts';
import type { StateFiles } from '#shared/state/state-files.ts';
import type { WorkerPool } from '../workers/worker-pool.ts';

export interface CertificateFeedOptions {
  readonly manager: CertificateManager;
  readonly workers: WorkerPool;
  readonly stateFiles: StateFiles | undefined;
  readonly faults: StandingFaults;
  readonly logger: Logger;
}

/** Renewals of many pods come together. */
const SAVE_DELAY_MS = 100;

/**
 * Brings certificates from the manager to the traffic threads, and keeps them in the state directory for a restart
 * without the CA, but only where what is written stays in memory: private keys are among them.
 */
export class CertificateFeed {
  readonly #options: CertificateFeedOptions;
  readonly #file: StateFile | undefined;
  readonly #unsubscribe: () => void;

  constructor(options: CertificateFeedOptions) {
    this.#options = options;
    this.#file = keyFile(options);
    this.#unsubscribe = options.manager.subscribe(update => this.#onUpdate(update));
  }

  /** Takes over what an earlier process has left. */
  restore(): void {
    const { logger, manager } = this.#options;
    const path = this.#file?.path;
    const text = path === undefined ? undefined : readIfThere(path);
    if (text === undefined) return;
    const decoded = decodeSnapshot(text);
    if (!decoded.ok) {
      logger.error('certificates of the state directory ignored', {
        path,
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
        path,
        reason: errorMessage(error),
      });
    }
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#file?.close();
  }

  #onUpdate(update: CertificateUpdate): void {
    const { manager, workers } = this.#options;
    if (update.type === 'certificate') workers.setCertificate(update.material.identity, update.material);
    else workers.removeCertificate(update.identity);
    this.#file?.schedule(() => {
      const snapshot = manager.export();
      return snapshot === undefined ? undefined : encodeSnapshot(snapshot);
    }, SAVE_DELAY_MS);
  }
}

/** Where keys may be written; undefined when nowhere. */
function keyFile({ faults, stateFiles, logger }: CertificateFeedOptions): StateFile | undefined {
  if (stateFiles === undefined) return undefined;
  const { directory } = stateFiles;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!isMemoryBacked(directory)) {
      logger.info('STATE_DIR is on a disk: keys are not kept; a restart needs the CA', { path: directory });
      return undefined;
    }
    if ((statSync(directory).mode & 0o077) !== 0) chmodSync(directory, 0o700);
    return stateFiles.file('certificates');
  } catch (error) {
    // The node goes on without; whatever else is to be written there says so again.
    const reason = errorMessage(error);
    logger.error('STATE_DIR cannot be used: keys are not kept; a restart needs the CA', {
      path: directory,
      reason,
    });
    faults.set(
      directory,
      `state not kept: ${directory} cannot be used: ${reason}; a restart needs the CA, mend it and restart`,
    );
    return undefined;
  }
}
