import { accessSync, appendFileSync, constants, readFileSync } from 'node:fs';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { readIfThere } from '#shared/state/read-if-there.ts';
import { replaceFileNow } from '#shared/state/replace-file.ts';
import { removeIfPossible } from '#shared/state/staged-file.ts';
import type { Leaf } from './leaf-ledger.ts';

export type LeafEntry = readonly [key: string, leaf: Leaf];

export interface LeafJournalOptions {
  readonly path: string;
  readonly clock: Clock;
  /** It cannot be written, with the reason; undefined: it is again. */
  readonly onState: (failure: string | undefined) => void;
  /** Differs from one start of the machine to the next; undefined where there is no telling. */
  readonly bootId?: string | undefined;
}

/** A disk that is full is tried again after this. */
const RETRY_MS = 10_000;
const COMPACT_AT = 10_000;

/**
 * The leaf ledger on disk: a line for each leaf, written before the leaf is handed out, so that it survives a killed
 * process. It is not flushed to the device for each: after a crash of the machine, which its first line tells, it is not believed. Nothing
 * is refused because it cannot be written: then there is none, until it can be written anew as a whole.
 */
export class LeafJournal {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #onState: (failure: string | undefined) => void;
  readonly #bootId: string | undefined;
  #lines = 0;
  /** A write failed, and lines are missing: monotonic time of the next try. */
  #brokenUntilMs: number | undefined;

  constructor(options: LeafJournalOptions) {
    this.#path = options.path;
    this.#clock = options.clock;
    this.#onState = options.onState;
    this.#bootId = 'bootId' in options ? options.bootId : readBootId();
  }

  /** Undefined when there is none to be believed. */
  load(): readonly LeafEntry[] | undefined {
    const [head, ...lines] = this.#read();
    if (this.#bootId === undefined || head !== headLine(this.#bootId)) return undefined;
    const entries: LeafEntry[] = [];
    for (const line of lines) {
      const entry = line === '' ? undefined : parseLine(line);
      if (entry !== undefined) entries.push(entry);
    }
    this.#lines = entries.length;
    return entries;
  }

  /** `live` is asked for when there are many more lines than leaves, or lines are missing: then the file is written anew. */
  append(entry: LeafEntry, live: () => readonly LeafEntry[], liveCount: number): void {
    const isBroken = this.#brokenUntilMs !== undefined;
    if (isBroken && this.#clock.monotonic() < (this.#brokenUntilMs ?? 0)) return;
    if (isBroken || ++this.#lines > Math.max(COMPACT_AT, liveCount * 2)) this.start(live());
    else this.#try(() => appendFileSync(this.#path, formatLine(entry), { mode: 0o600 }));
  }

  /** Starts the file anew, e.g. where there was none. */
  start(live: readonly LeafEntry[]): void {
    this.#try(() => {
      const text = [`${headLine(this.#bootId)}\n`, ...live.map(formatLine)].join('');
      replaceFileNow(this.#path, text, 0o600);
      this.#lines = live.length;
    });
  }

  #try(write: () => void): void {
    const wasBroken = this.#brokenUntilMs !== undefined;
    try {
      write();
      this.#brokenUntilMs = undefined;
      if (wasBroken) this.#onState(undefined);
    } catch (error) {
      this.#brokenUntilMs = this.#clock.monotonic() + RETRY_MS;
      // A journal with a gap would be believed by the next process. On a disk that is read-only it stays, and is not.
      removeIfPossible(this.#path);
      if (!wasBroken) this.#onState(errorMessage(error));
    }
  }

  /** Nothing of a file that cannot be written to: another process could not, and has not noted what it gave. */
  #read(): string[] {
    try {
      accessSync(this.#path, constants.W_OK);
      return readFileSync(this.#path, 'utf8').split('\n');
    } catch {
      return [];
    }
  }
}

/** The wall clock does not tell: it may have been set meanwhile. */
function readBootId(): string | undefined {
  return readIfThere('/proc/sys/kernel/random/boot_id')?.trim();
}

function headLine(bootId: string | undefined): string {
  return JSON.stringify({ boot: bootId ?? null });
}

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
