/** The names that a PromQL expression uses: enough to compare them with what is there, not a parser of the language. */
export interface UsedNames {
  readonly selectors: readonly Selector[];
  /** Labels that are grouped or joined by. */
  readonly grouping: readonly string[];
}

export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_:][\w:]*|\d[\w.]*|=~|!~|!=|==|>=|<=|\s+|./g;
const NAME = /^[A-Za-z_:]/;
const LABEL_LISTS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const AGGREGATORS = new Set([
  'sum',
  'min',
  'max',
  'avg',
  'count',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'quantile',
  'count_values',
]);
const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

/** @throws Error where the expression is not closed */
export function usedNames(expr: string): UsedNames {
  const tokens = (expr.match(TOKEN) ?? []).filter(token => token.trim() !== '');
  const selectors: Selector[] = [];
  const grouping: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    const next = tokens[at + 1];
    if (token === '[') at = closing(tokens, at, ']', expr);
    else if (LABEL_LISTS.has(token)) {
      if (next !== '(') continue;
      const end = closing(tokens, at, ')', expr);
      grouping.push(...tokens.slice(at + 2, end).filter(t => NAME.test(t)));
      at = end;
    } else if (NAME.test(token) && next !== '(' && !AGGREGATORS.has(token) && !WORDS.has(token)) {
      const end = next === '{' ? closing(tokens, at, '}', expr) : at;
      // A label is what stands before its operator; strings are one token.
      const labels = tokens.slice(at + 2, end).filter(t => NAME.test(t));
      selectors.push({ metric: token, labels });
      at = end;
    }
  }
  return { selectors, grouping };
}

function closing(tokens: readonly string[], from: number, bracket: string, expr: string): number {
  const at = tokens.indexOf(bracket, from);
  if (at < 0) throw new Error(`${bracket} is missing in ${expr}`);
  return at;
}
