/**
 * Header fields as one flat array: name, value, name, value… Names are lower case. It is the cheapest form to parse into,
 * to search for a handful of fields, and to write out again, and it keeps order and repeats. Values are Latin-1 text.
 */
export type HeaderList = string[];

/** First value of `name` (lower case), or undefined. */
export function getHeader(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1];
  return undefined;
}

/** Every value of `name`, joined as RFC 9110 §5.2 allows for list-valued fields; undefined when absent. */
export function joinHeader(headers: readonly string[], name: string): string | undefined {
  let joined: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    const value = headers[i + 1] ?? '';
    joined = joined === undefined ? value : `${joined}, ${value}`;
  }
  return joined;
}

/** Replaces the first occurrence and removes the others, or appends. */
export function setHeader(headers: HeaderList, name: string, value: string): void {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    headers[i + 1] = value;
    removeHeader(headers, name, i + 2);
    return;
  }
  headers.push(name, value);
}

/** Drops what is behind. One by one: to write the length of an array leaves compiled code, and lets go of its memory. */
export function truncate(headers: HeaderList, length: number): void {
  while (headers.length > length) headers.pop();
}

export function addHeader(headers: HeaderList, name: string, value: string): void {
  headers.push(name, value);
}

export function removeHeader(headers: HeaderList, name: string, from = 0): void {
  let kept = from;
  for (let i = from; i < headers.length; i += 2) {
    if (headers[i] === name) continue;
    headers[kept] = headers[i] ?? '';
    headers[kept + 1] = headers[i + 1] ?? '';
    kept += 2;
  }
  truncate(headers, kept);
}
