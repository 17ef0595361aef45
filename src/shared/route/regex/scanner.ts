import { RegexSyntaxError } from './syntax.ts';

/** A position in a pattern. */
export class Scanner {
  readonly #text: string;
  #at = 0;
  #groups = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get position(): number {
    return this.#at;
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The next character, empty at the end. */
  peek(): string {
    return this.#text.charAt(this.#at);
  }

  sees(literal: string): boolean {
    return this.#text.startsWith(literal, this.#at);
  }

  take(literal: string): boolean {
    if (!this.sees(literal)) return false;
    this.#at += literal.length;
    return true;
  }

  /** Takes what a sticky expression matches here. */
  takePattern(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at;
    const [text] = sticky.exec(this.#text) ?? [];
    if (text !== undefined) this.#at += text.length;
    return text;
  }

  /** Numbers the next group that captures. */
  openGroup(): number {
    return ++this.#groups;
  }

  /** Takes one code unit. */
  next(): number {
    if (this.atEnd()) throw this.error('the pattern ends in the middle of an expression');
    return this.#text.charCodeAt(this.#at++);
  }

  /** After `\Q`: everything up to `\E` or the end, which both belong to the quotation. */
  takeQuoted(): number[] {
    const end = this.#text.indexOf('\\E', this.#at);
    const quoted = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#text.length : end + 2;
    return Array.from({ length: quoted.length }, (_, i) => quoted.charCodeAt(i));
  }

  error(message: string): RegexSyntaxError {
    return new RegexSyntaxError(message, this.#at);
  }
}
