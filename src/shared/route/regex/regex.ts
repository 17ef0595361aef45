import { Automaton } from './automaton.ts';
import { parseRegex } from './parse.ts';
import { compileProgram } from './program.ts';
import { RegexSyntaxError } from './syntax.ts';

/** A pattern in RE2 syntax that matches whole texts in linear time. */
export interface SafeRegex {
  /** Whether the whole of `text` matches, as Envoy's and Istio's regex matches do. */
  matches(text: string): boolean;
}

export type RegexResult =
  | { readonly ok: true; readonly regex: SafeRegex }
  | { readonly ok: false; readonly reason: string };

/** Parses `pattern` or says what is wrong with it, where, in words for the person who wrote it. */
export function compileRegex(pattern: string): RegexResult {
  try {
    return { ok: true, regex: new Automaton(compileProgram(parseRegex(pattern), { captures: false })) };
  } catch (error) {
    if (!(error instanceof RegexSyntaxError)) throw error;
    return { ok: false, reason: `${error.message} (at character ${error.position} of the pattern)` };
  }
}

/** Matches nothing: takes the place of a pattern that got past the boundary unchecked. */
export const MATCHES_NOTHING: SafeRegex = { matches: () => false };
