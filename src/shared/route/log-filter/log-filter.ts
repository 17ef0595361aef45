import { parseDurationMs } from '../../config/duration.ts';
import { ATTRIBUTES, headerTerm } from './attributes.ts';
import { FilterError } from './filter-error.ts';
import {
  comparison,
  conjunction,
  disjunction,
  isComparison,
  negation,
  oneOf,
  textTest,
} from './operators.ts';
import type { LogSubject, Term } from './term.ts';
import { type Token, tokensOf } from './tokens.ts';

/** Whether a line is written. */
export type LogFilter = (subject: LogSubject) => boolean;

export type ParsedLogFilter =
  | { readonly ok: true; readonly filter: LogFilter }
  | { readonly ok: false; readonly problem: string };

export const MAX_FILTER_CHARS = 2_048;
const MAX_DEPTH = 32;
const HEADERS = 'request.headers';
const TEXT_TESTS = ['contains', 'endsWith', 'startsWith'] as const;

/**
 * The part of CEL that filters of access logs are written in: comparisons of Envoy's attributes, `&&`, `||`, `!`, `in`,
 * `has`, and tests of texts. Types are checked here, so that an expression that was taken can only lack a value, as in CEL.
 */
export function parseLogFilter(text: string): ParsedLogFilter {
  if (text.length > MAX_FILTER_CHARS)
    return { ok: false, problem: `is longer than ${MAX_FILTER_CHARS} characters` };
  try {
    const { read } = new Parser(tokensOf(text)).whole();
    return { ok: true, filter: subject => read(subject) === true };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { ok: false, problem: error.message };
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Term {
    const at = this.#peek();
    const term = this.#either();
    const rest = this.#peek();
    if (rest.kind !== 'end') throw this.#unexpected(rest, 'an operator');
    return this.#typed(term, 'bool', at);
  }

  #either(): Term {
    return this.#chain('||', () => this.#both(), disjunction);
  }

  #both(): Term {
    return this.#chain('&&', () => this.#relation(), conjunction);
  }

  #chain(sign: string, part: () => Term, join: (terms: readonly Term[]) => Term): Term {
    const at = this.#peek();
    const first = part();
    if (!this.#isSign(sign)) return first;
    const terms = [this.#typed(first, 'bool', at)];
    while (this.#take(sign)) {
      const from = this.#peek();
      terms.push(this.#typed(part(), 'bool', from));
    }
    return join(terms);
  }

  #relation(): Term {
    const left = this.#unary();
    const operator = this.#peek();
    if (operator.kind === 'name' && operator.text === 'in') return this.#in(left);
    if (operator.kind !== 'sign' || !isComparison(operator.text)) return left;
    this.#next++;
    const right = this.#unary();
    if (left.type !== right.type)
      throw new FilterError(`${operator.text} compares ${left.type} with ${right.type}`, operator.at);
    if (left.type === 'bool' && operator.text !== '==' && operator.text !== '!=')
      throw new FilterError(`${operator.text} does not compare bool`, operator.at);
    return comparison(operator.text, left, right);
  }

  /** `x in [a, b]`, or `"name" in request.headers`. */
  #in(left: Term): Term {
    const { at } = this.#pop();
    const list = this.#peek();
    if (list.kind === 'name' && list.text === HEADERS) {
      const name = this.#tokens[this.#next - 2];
      this.#next++;
      if (name?.kind !== 'string')
        throw new FilterError(`in ${HEADERS} asks for a text in quotes before it`, at);
      return present(headerTerm(name.text));
    }
    this.#expect('[');
    const items: Term[] = [];
    do {
      const from = this.#peek();
      items.push(this.#typed(this.#unary(), left.type, from));
    } while (this.#take(','));
    this.#expect(']');
    return oneOf(left, items);
  }

  #unary(): Term {
    const sign = this.#peek();
    if (!this.#take('!')) return this.#withTests();
    const at = this.#peek();
    return negation(
      this.#typed(
        this.#nested(sign, () => this.#unary()),
        'bool',
        at,
      ),
    );
  }

  #withTests(): Term {
    const at = this.#peek();
    let term = this.#primary();
    while (this.#take('.')) {
      const test = this.#pop();
      if (test.kind !== 'name') throw this.#unexpected(test, TEXT_TESTS.join(', '));
      term = this.#test(term, test.text, at);
    }
    return term;
  }

  #test(term: Term, name: string, at: Token): Term {
    const test = TEXT_TESTS.find(known => known === name);
    if (test === undefined)
      throw new FilterError(`${name}() is not supported; there are ${TEXT_TESTS.join(', ')}`, at.at);
    this.#expect('(');
    const from = this.#peek();
    const argument = this.#typed(this.#unary(), 'string', from);
    this.#expect(')');
    return textTest(test, this.#typed(term, 'string', at), argument);
  }

  #primary(): Term {
    const token = this.#pop();
    switch (token.kind) {
      case 'int':
        return this.#int(token);
      case 'string':
        return { type: 'string', read: () => token.text };
      case 'name':
        return this.#named(token);
      case 'sign':
        if (token.text === '(') return this.#nested(token, () => this.#inParentheses(() => this.#either()));
        break;
      case 'end':
        break;
    }
    throw this.#unexpected(token, 'an attribute, a value or "("');
  }

  #int({ at, text }: Token): Term {
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw new FilterError(`${text} is too large`, at);
    return { type: 'int', read: () => value };
  }

  #named(token: Token): Term {
    const { text } = token;
    if (text === 'true' || text === 'false') return { type: 'bool', read: () => text === 'true' };
    if (text === HEADERS) return this.#header();
    if (!this.#take('(')) return this.#attribute(token);
    if (text === 'has') return this.#inParentheses(() => present(this.#attribute(this.#pop())));
    if (text === 'duration') return this.#inParentheses(() => this.#duration(this.#pop()));
    const dot = text.lastIndexOf('.');
    if (dot < 0) throw new FilterError(`${text}() is not supported; there are has, duration`, token.at);
    this.#next--;
    return this.#test(this.#attribute({ ...token, text: text.slice(0, dot) }), text.slice(dot + 1), token);
  }

  #header(): Term {
    this.#expect('[');
    const name = this.#pop();
    if (name.kind !== 'string') throw this.#unexpected(name, 'the name of a header in quotes');
    this.#expect(']');
    return headerTerm(name.text);
  }

  #attribute(token: Token): Term {
    const attribute = token.kind === 'name' ? ATTRIBUTES.get(token.text) : undefined;
    if (attribute !== undefined) return attribute;
    throw new FilterError(`${JSON.stringify(token.text)} is no attribute that the log knows`, token.at);
  }

  #duration(token: Token): Term {
    const ms = token.kind === 'string' ? parseDurationMs(token.text) : undefined;
    if (ms === undefined) throw new FilterError('duration() takes a text such as "1.5s"', token.at);
    return { type: 'duration', read: () => ms };
  }

  /** The opening one has been taken. */
  #inParentheses(read: () => Term): Term {
    const term = read();
    this.#expect(')');
    return term;
  }

  #nested(from: Token, read: () => Term): Term {
    if (++this.#depth > MAX_DEPTH) throw new FilterError(`is nested more than ${MAX_DEPTH} deep`, from.at);
    const term = read();
    this.#depth--;
    return term;
  }

  #typed(term: Term, type: Term['type'], from: Token): Term {
    if (term.type === type) return term;
    throw new FilterError(`what begins here is ${term.type} and must be ${type}`, from.at);
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? END;
  }

  #pop(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #isSign(sign: string): boolean {
    const { kind, text } = this.#peek();
    return kind === 'sign' && text === sign;
  }

  #take(sign: string): boolean {
    const found = this.#isSign(sign);
    if (found) this.#next++;
    return found;
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) throw this.#unexpected(this.#peek(), JSON.stringify(sign));
  }

  #unexpected({ at, kind, text }: Token, expected: string): FilterError {
    const found = kind === 'end' ? 'it ends' : `${JSON.stringify(text)} stands`;
    return new FilterError(`${found} where ${expected} should be`, at);
  }
}

const END: Token = { kind: 'end', text: '', at: 0 };

function present({ read }: Term): Term {
  return { type: 'bool', read: subject => read(subject) !== undefined };
}
