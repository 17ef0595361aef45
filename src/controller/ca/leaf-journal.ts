import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Leaf } from './leaf-ledger.ts';

export type LeafEntry = readonly [key: string, leaf: Leaf];

/**
 * The leaf ledger on disk: a line for each leaf, written before the leaf is handed out, so that it survives a killed
 * process. It is not flushed to the device for each: after a crash of the machine it is not believed.
 */
export class LeafJournal {
  readonly #path: string;
  readonly #onFailure: (reason: string) => void;
  #lines = 0;
  /** A write failed: lines are missing, so there is no file, and none is begun until `start`. */
  #broken = false;

  constructor(path: string, onFailure: (reason: string) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  /** Undefined when there is none, or the machine has been started since it was last written. `nowMs`: wall clock. */
  load(nowMs: number): readonly LeafEntry[] | undefined {
    const stats = statSync(this.#path, { throwIfNoEntry: false });
    if (stats === undefined || stats.mtimeMs < nowMs - uptime() * 1000) return undefined;
    const entries: LeafEntry[] = [];
    for (const line of readFileSync(this.#path, 'utf8').split('\n')) {
      const entry = line === '' ? undefined : parseLine(line);
      if (entry !== undefined) entries.push(entry);
    }
    this.#lines = entries.length;
    return entries;
  }

  /** `live` is asked for when there are many more lines than leaves: then the file is written anew. */
  append(entry: LeafEntry, live: () => readonly LeafEntry[], liveCount: number): void {
    if (this.#broken) return;
    try {
      if (++this.#lines <= Math.max(COMPACT_AT, liveCount * 2))
        appendFileSync(this.#path, formatLine(entry), { mode: 0o600 });
      else this.#rewrite(live());
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Starts the file anew, e.g. where there was none. */
  start(live: readonly LeafEntry[]): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      this.#rewrite(live);
      this.#broken = false;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A journal with a gap would be believed by the next process. */
  #fail(error: unknown): void {
    this.#broken = true;
    rmSync(this.#path, { force: true });
    this.#onFailure(errorMessage(error));
  }

  #rewrite(live: readonly LeafEntry[]): void {
    const temporary = `${this.#path}.tmp`;
    writeFileSync(temporary, live.map(formatLine).join(''), { mode: 0o600 });
    renameSync(temporary, this.#path);
    this.#lines = live.length;
  }
}

const COMPACT_AT = 10_000;

function formatLine([key, { notAfterMs, signer }]: LeafEntry): string {
  return `${JSON.stringify({ key, signer, notAfterMs })}\n`;
}

/** Undefined for the torn last line of a process that was killed: its leaf was not handed out. */
function parseLine(line: string): LeafEntry | undefined {
  try {
    const value = parseJson(line);
    if (!isJsonObject(value)) return undefined;
    const { key, notAfterMs, signer } = value;
    if (typeof key !== 'string' || typeof signer !== 'string' || typeof notAfterMs !== 'number')
      return undefined;
    return [key, { signer, notAfterMs }];
  } catch {
    return undefined;
  }
}
