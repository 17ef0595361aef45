import { FilterError } from './filter-error.ts';

export interface Token {
  readonly kind: 'name' | 'int' | 'string' | 'sign' | 'end';
  /** Of a string without its quotes. */
  readonly text: string;
  /** Of its first character in the expression. */
  readonly at: number;
}

/** A name has its dots in it. Numbers that are no whole ones, and strings with a prefix, are told by what follows. */
const TOKEN =
  /\s*(?:(?<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?<int>-?\d+)(?![\w.])|"(?<double>(?:[^"\\\n]|\\.)*)"|'(?<single>(?:[^'\\\n]|\\.)*)'|(?<sign>&&|\|\||[=!<>]=|[<>!()[\],.]))/uy;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '"': '"',
  "'": "'",
  n: '\n',
  r: '\r',
  t: '\t',
};

/** @throws FilterError */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw unreadable(text, from);
    const at = from + match[0].length - match[0].trimStart().length;
    const { double, int, name, sign, single } = match.groups ?? {};
    const quoted = double ?? single;
    if (quoted !== undefined) tokens.push({ kind: 'string', text: unescaped(quoted, at), at });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name, at });
    else if (int !== undefined) tokens.push({ kind: 'int', text: int, at });
    else tokens.push({ kind: 'sign', text: sign ?? '', at });
  }
  tokens.push({ kind: 'end', text: 'the end', at: text.length });
  return tokens;
}

/** What CEL has besides. */
const CEL_SIGN = /^[-+*/%?:{}&|]/;

function unreadable(text: string, from: number): FilterError {
  const at = from + text.slice(from).length - text.slice(from).trimStart().length;
  const rest = text.slice(at, at + 20);
  if (/^["']/.test(rest)) return new FilterError('the text that begins here is not closed', at);
  if (/^-?\d/.test(rest)) return new FilterError(`${JSON.stringify(rest)} begins with no whole number`, at);
  const [sign] = CEL_SIGN.exec(rest) ?? [];
  if (sign !== undefined) return new FilterError(`the operator ${sign} is not supported`, at);
  return new FilterError(`${JSON.stringify(rest)} is not understood`, at);
}

function unescaped(quoted: string, at: number): string {
  return quoted.replaceAll(/\\(.)/gu, (whole, char: string) => {
    const meant = ESCAPES[char];
    if (meant === undefined) throw new FilterError(`${whole} in a text is not supported`, at);
    return meant;
  });
}
