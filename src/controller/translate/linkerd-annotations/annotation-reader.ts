import { parseDurationMs } from '#shared/config/duration.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics } from '../diagnostic.ts';

const DAY_MS = 86_400_000;

/** Reads annotations of one object. A wrong one is said, and counts as not there. */
export class AnnotationReader {
  readonly diagnostics: Diagnostics;
  readonly #annotations: Readonly<Record<string, string>>;
  readonly #asked = new Set<string>();

  constructor(object: KubeObject) {
    this.diagnostics = new Diagnostics(object);
    this.#annotations = object.metadata.annotations;
  }

  text(key: string): string | undefined {
    this.#asked.add(key);
    return this.#annotations[key];
  }

  refuse(key: string, message: string, fix: string): undefined {
    this.diagnostics.ignore(`metadata.annotations.${key}`, this.text(key), message, fix);
    return undefined;
  }

  /** Those of `keys` that nobody asked for: a misspelt one must not silently mean nothing. */
  refuseOthers(keys: readonly string[]): void {
    for (const key of keys) {
      if (!this.#asked.has(key))
        this.refuse(key, 'is not known and has no effect', 'remove it or correct it');
    }
  }

  /** With Linkerd's unit of days, which others do not have. */
  durationMs(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const [, days] = /^(\d{1,5})d$/.exec(text) ?? [];
    const ms = days === undefined ? parseDurationMs(text) : Number(days) * DAY_MS;
    return ms ?? this.refuse(key, 'is not a duration and has no effect', 'write such as 300ms');
  }

  /** As Go reads one. */
  flag(key: string): boolean | undefined {
    const text = this.text(key)?.trim();
    if (text === undefined) return undefined;
    if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
    if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
    return this.refuse(key, 'is neither true nor false and has no effect', 'write "true" or "false"');
  }

  integer(key: string, min: number, max: number): number | undefined {
    return this.#number(key, /^\d+$/, `whole number from ${min} to ${max}`, min, max);
  }

  number(key: string, min: number, max: number): number | undefined {
    return this.#number(key, /^\d+(?:\.\d+)?$/, `number from ${min} to ${max}`, min, max);
  }

  #number(key: string, form: RegExp, expected: string, min: number, max: number): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = form.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    return this.refuse(key, `is no ${expected} and has no effect`, 'change it');
  }
}
