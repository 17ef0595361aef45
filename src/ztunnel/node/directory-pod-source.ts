import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { watchDirectory } from '#shared/state/watch-directory.ts';
import type { LocalPod, PodSource, PodStatus } from './local-pod.ts';
import { MAX_POD_FILE_BYTES, parsePodFile } from './pod-file.ts';

/** What a watch misses (it may drop events under load, and does on some file systems) is found this much later. */
const RESCAN_MS = 5_000;
/** Many files written at once are one change. */
const SETTLE_MS = 5;
/** A node runs hundreds of pods; a directory with more files is a mistake. */
const MAX_PODS = 4096;

const STATUS_SUFFIX = '.status.json';

interface KnownFile {
  readonly stamp: string;
  /** The last good version: a file that is being damaged does not unmesh its pod. */
  readonly pod: LocalPod | undefined;
}

/**
 * Pods described by the files `<uid>.json` of a directory, one a pod; how capture stands is written beside each as
 * `<uid>.status.json`: `{"annotations": {"ambient.istio.io/redirection": "enabled"}, "state", "message"}`.
 * Files should be written elsewhere and renamed into place; one read half-written is read again.
 */
export class DirectoryPodSource implements PodSource {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #known = new Map<string, KnownFile>();
  #unwatch: (() => void) | undefined;
  #timer: Timer | undefined;
  #scanning: Promise<void> | undefined;
  #scanAgain = false;
  #onPods: ((pods: ReadonlyMap<string, LocalPod>) => void) | undefined;

  constructor(directory: string, clock: Clock, logger: Logger) {
    this.#directory = directory;
    this.#clock = clock;
    this.#logger = logger.child('pod_source');
  }

  async start(onPods: (pods: ReadonlyMap<string, LocalPod>) => void): Promise<void> {
    this.#unwatch = watchDirectory(this.#directory, {
      onChange: name => {
        if (name === null || isPodFile(name)) this.#scheduleScan(SETTLE_MS);
      },
      onFailure: error => this.#logger.warn('watch failed; rescans go on', { error }),
    });
    this.#onPods = onPods;
    try {
      await this.#scan(true);
    } catch (cause) {
      await this.stop();
      throw cause;
    }
    this.#scheduleScan(RESCAN_MS);
  }

  async stop(): Promise<void> {
    this.#onPods = undefined;
    this.#unwatch?.();
    this.#timer?.cancel();
    await this.#scanning;
  }

  async report(uid: string, status: PodStatus): Promise<void> {
    if (!this.#known.has(uid)) return;
    const annotations = status.state === 'enrolled' ? { 'ambient.istio.io/redirection': 'enabled' } : {};
    const path = join(this.#directory, uid + STATUS_SUFFIX);
    try {
      await writeFile(`${path}.tmp`, `${JSON.stringify({ annotations, ...status })}\n`);
      await rename(`${path}.tmp`, path);
    } catch (error) {
      // Half of it would be in the way of everybody else on a disk that is full.
      await rm(`${path}.tmp`, { force: true }).catch(() => undefined);
      throw error;
    }
    // The pod may have gone while the status was being written.
    if (!this.#known.has(uid)) await rm(path, { force: true });
  }

  #scheduleScan(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#onPods === undefined) return;
    this.#timer = this.#clock.setTimer(delayMs, () => {
      void this.#scanLoop();
    });
  }

  /** One scan at a time; an event that comes meanwhile causes one more. */
  async #scanLoop(): Promise<void> {
    this.#scanAgain = true;
    if (this.#scanning !== undefined) return;
    while (this.#scanAgain && this.#onPods !== undefined) {
      this.#scanAgain = false;
      this.#scanning = this.#scan(false).catch((error: unknown) => {
        this.#logger.warn('cannot read the directory of pods; the last known pods stay', {
          directory: this.#directory,
          error: errorMessage(error),
        });
      });
      await this.#scanning;
    }
    this.#scanning = undefined;
    this.#scheduleScan(RESCAN_MS);
  }

  async #scan(first: boolean): Promise<void> {
    const names = (await readdir(this.#directory)).filter(isPodFile);
    if (names.length > MAX_PODS) this.#logger.error('too many pods; the rest is ignored', { max: MAX_PODS });
    const next = new Map<string, KnownFile>();
    let changed = first;
    for (const name of names.slice(0, MAX_PODS)) {
      const uid = name.slice(0, -'.json'.length);
      const before = this.#known.get(uid);
      const now = await this.#readPod(uid, before);
      if (now === undefined) continue;
      next.set(uid, now);
      changed ||= now.pod !== before?.pod;
    }
    const gone = [...this.#known.keys()].filter(uid => !next.has(uid));
    this.#known = next;
    for (const uid of gone) await this.#removeStatus(uid);
    if (changed || gone.length > 0) this.#publish();
  }

  /** Never rejects: a disk that is read-only keeps no pod from being captured or released. */
  async #removeStatus(uid: string): Promise<void> {
    const path = join(this.#directory, uid + STATUS_SUFFIX);
    try {
      await rm(path, { force: true });
    } catch (error) {
      this.#logger.warn('cannot remove the status of a pod that is gone', {
        path,
        error: errorMessage(error),
      });
    }
  }

  #publish(): void {
    const pods = new Map<string, LocalPod>();
    for (const [uid, { pod }] of this.#known) if (pod !== undefined) pods.set(uid, pod);
    this.#onPods?.(pods);
  }

  /** Undefined when the file is gone. */
  async #readPod(uid: string, before: KnownFile | undefined): Promise<KnownFile | undefined> {
    const path = join(this.#directory, `${uid}.json`);
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const stamp = `${ino}:${mtimeMs}:${size}`;
      if (stamp === before?.stamp) return before;
      const text =
        size > MAX_POD_FILE_BYTES ? ' '.repeat(MAX_POD_FILE_BYTES + 1) : await readFile(path, 'utf8');
      const result = parsePodFile(text, uid);
      if (result.ok) return { stamp, pod: result.pod };
      this.#logger.warn('bad description of a pod', { path, error: result.errors.join('; ') });
      return { stamp, pod: before?.pod };
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw cause;
    }
  }
}

function isPodFile(name: string): boolean {
  return name.endsWith('.json') && !name.endsWith(STATUS_SUFFIX) && !name.startsWith('.');
}
