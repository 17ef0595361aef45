import { type FSWatcher, readFileSync, watch } from 'node:fs';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type DirectoryScan, type FileStamp, scanDirectory, stampOf, statOf } from './directory-scan.ts';
import { ObjectFiles } from './object-files.ts';
import { MAX_FILE_BYTES, type ObjectFile, parseObjectFile, unreadableFile } from './object-file.ts';
import type { ObjectSource, SourceEvents } from './object-source.ts';

export interface DirectorySourceOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Events within this time are one change; a file younger than it may still be being written. */
const DEBOUNCE_MS = 15;
/** Watches miss events (network file systems, overflow of the kernel's queue): look anyway. */
const RESCAN_MS = 10_000;

/**
 * A watched directory of YAML files, recursive. The watches only say when to look: what is there is found by comparing
 * stamps, so that renames, editors' habits and lost events all come out right.
 */
export class DirectorySource implements ObjectSource {
  readonly #options: DirectorySourceOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #stamps = new Map<string, string>();
  readonly #files = new ObjectFiles();
  #events: SourceEvents | undefined;
  #timer: Timer | undefined;
  #rescan: Timer | undefined;
  #shownProblems = '[]';

  constructor(options: DirectorySourceOptions) {
    this.#options = options;
  }

  async start(events: SourceEvents): Promise<void> {
    // Watches first: what changes during the first scan is seen by the second.
    this.#events = events;
    const scan = scanDirectory(this.#options.path);
    this.#watch(scan);
    this.#read(scan, true);
    await Promise.resolve();
    this.#rescanLater();
  }

  stop(): Promise<void> {
    this.#events = undefined;
    this.#timer?.cancel();
    this.#rescan?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    return Promise.resolve();
  }

  #lookSoon(): void {
    this.#timer ??= this.#options.clock.setTimer(DEBOUNCE_MS, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #rescanLater(): void {
    this.#rescan = this.#options.clock.setTimer(RESCAN_MS, () => {
      this.#look();
      if (this.#events !== undefined) this.#rescanLater();
    });
  }

  #look(): void {
    try {
      const scan = scanDirectory(this.#options.path);
      this.#watch(scan);
      this.#read(scan, false);
    } catch (error) {
      const reason = errorMessage(error);
      this.#options.logger.error('configuration directory cannot be read, the last objects stay', { reason });
    }
  }

  #watch(scan: DirectoryScan): void {
    const wanted = new Set(scan.directories);
    for (const [path, watcher] of this.#watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    for (const path of wanted) if (!this.#watchers.has(path)) this.#watchDirectory(path);
  }

  #watchDirectory(path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, () => this.#lookSoon());
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(path);
        this.#lookSoon();
      });
      this.#watchers.set(path, watcher);
      // What came in between the scan and the watch.
      this.#lookSoon();
    } catch (error) {
      const reason = errorMessage(error);
      this.#options.logger.warn('directory is not watched, changes are found by the periodic scan', {
        path,
        reason,
      });
    }
  }

  #read(scan: DirectoryScan, isFirst: boolean): void {
    const now = this.#options.clock.now();
    const changed = new Map<string, ObjectFile | undefined>();
    for (const path of this.#stamps.keys()) {
      if (scan.files.has(path)) continue;
      this.#stamps.delete(path);
      changed.set(path, undefined);
    }
    for (const [path, stamp] of scan.files) {
      if (this.#stamps.get(path) === stamp.text) continue;
      const mayBeUnfinished = !isFirst && Math.abs(now - stamp.modifiedAt) < DEBOUNCE_MS;
      const file = mayBeUnfinished ? undefined : this.#readFile(path, stamp);
      if (file === undefined) this.#lookSoon();
      else {
        this.#stamps.set(path, stamp.text);
        changed.set(path, file);
      }
    }
    if (changed.size > 0) this.#publish(changed);
  }

  /** Undefined when it changed while it was read: the next look reads it again. */
  #readFile(path: string, stamp: FileStamp): ObjectFile | undefined {
    const before = this.#files.get(path);
    if (stamp.bytes > MAX_FILE_BYTES) {
      const fix = `split it: at most ${MAX_FILE_BYTES} bytes are read`;
      return unreadableFile(path, `is ${stamp.bytes} bytes long`, fix, before);
    }
    try {
      const text = readFileSync(path, 'utf8');
      const after = statOf(path);
      if (after === undefined || stampOf(after).text !== stamp.text) return undefined;
      return parseObjectFile(text, path, before);
    } catch (error) {
      const reason = errorMessage(error);
      return unreadableFile(path, reason, 'make it readable for the controller', before);
    }
  }

  #publish(changed: ReadonlyMap<string, ObjectFile | undefined>): void {
    const events = this.#events;
    if (events === undefined) return;
    const change = this.#files.replace(changed);
    if (change.upserts.length > 0 || change.deletes.length > 0) events.onChange(change);
    const problems = this.#files.problems();
    const shown = JSON.stringify(problems);
    if (shown === this.#shownProblems) return;
    this.#shownProblems = shown;
    events.onProblems(problems);
  }
}
