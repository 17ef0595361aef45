import type { CharSet } from './char-set.ts';

/** What a pattern means. For matching a whole text neither groups nor laziness make a difference; for replacing they do. */
export type RegexNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'chars'; readonly set: CharSet }
  | { readonly kind: 'concat'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'either'; readonly options: readonly RegexNode[] }
  /** `max` undefined: no upper bound. */
  | {
      readonly kind: 'repeat';
      readonly node: RegexNode;
      readonly min: number;
      readonly max: number | undefined;
      readonly lazy: boolean;
    }
  /** Captures; numbered from 1 by where it opens. */
  | { readonly kind: 'group'; readonly node: RegexNode; readonly index: number }
  | { readonly kind: 'text_start' }
  | { readonly kind: 'text_end' };

/** Why a pattern was refused; the message names what to write instead where there is something. */
export class RegexSyntaxError extends Error {
  /** Offset in the pattern. */
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.name = 'RegexSyntaxError';
    this.position = position;
  }
}
