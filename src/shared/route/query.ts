/**
 * First value of a query parameter of a request target, decoded as forms are (`+` is a space); undefined when absent,
 * empty when it has no `=`. A value that does not decode is returned as written.
 */
export function queryValue(target: string, name: string): string | undefined {
  let first: string | undefined;
  visitValues(target, name, value => {
    first = value;
    return false;
  });
  return first;
}

/** All of them, in their order. */
export function queryValues(target: string, name: string): readonly string[] {
  const values: string[] = [];
  visitValues(target, name, value => values.push(value) > 0);
  return values;
}

/** @param visit whether to go on */
function visitValues(target: string, name: string, visit: (value: string) => boolean): void {
  const question = target.indexOf('?');
  if (question < 0) return;
  const hash = target.indexOf('#');
  const end = hash < 0 ? target.length : hash;
  let at = question + 1;
  while (at < end) {
    const ampersand = target.indexOf('&', at);
    const stop = ampersand < 0 || ampersand > end ? end : ampersand;
    const equals = target.indexOf('=', at);
    const nameEnd = equals < 0 || equals > stop ? stop : equals;
    if (isName(target, at, nameEnd, name)) {
      if (!visit(decode(target.slice(Math.min(nameEnd + 1, stop), stop)))) return;
    }
    at = stop + 1;
  }
}

/** Compares in place; only a name written with escapes is copied. */
function isName(target: string, from: number, to: number, name: string): boolean {
  if (to - from === name.length && target.startsWith(name, from)) return true;
  const raw = to - from > name.length ? target.slice(from, to) : '';
  return (raw.includes('%') || raw.includes('+')) && decode(raw) === name;
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** The target without any parameter of the name, and without the `?` where none is left. */
export function withoutQueryValue(target: string, name: string): string {
  const question = target.indexOf('?');
  if (question < 0) return target;
  const hash = target.indexOf('#');
  const end = hash < 0 ? target.length : hash;
  const pairs = target.slice(question + 1, end).split('&');
  const kept = pairs.filter(pair => decode(pair.split('=', 1)[0] ?? '') !== name);
  if (kept.length === pairs.length) return target;
  const query = kept.length === 0 ? '' : `?${kept.join('&')}`;
  return target.slice(0, question) + query + target.slice(end);
}
