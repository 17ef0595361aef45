/**
 * URIs of a certificate's subject alternative names, from Node's text form: `DNS:a, URI:b, URI:"c"`. A value with
 * characters that could be mistaken for the list's own syntax comes as a JSON string there (CVE-2021-44532), so the text
 * must be tokenised, never split.
 * @returns undefined when the text does not have that form: the certificate is then refused.
 */
export function parseUriNames(text: string | undefined): readonly string[] | undefined {
  const uris: string[] = [];
  let at = 0;
  const source = text ?? '';
  while (at < source.length) {
    const colon = source.indexOf(':', at);
    if (colon === -1) return undefined;
    const kind = source.slice(at, colon);
    const end = source[colon + 1] === '"' ? quotedEnd(source, colon + 1) : plainEnd(source, colon + 1);
    if (end === undefined) return undefined;
    const value = decode(source.slice(colon + 1, end));
    if (value === undefined) return undefined;
    if (kind === 'URI') uris.push(value);
    if (end < source.length && !source.startsWith(', ', end)) return undefined;
    at = end + 2;
  }
  return uris;
}

function plainEnd(source: string, from: number): number {
  const comma = source.indexOf(', ', from);
  return comma === -1 ? source.length : comma;
}

function quotedEnd(source: string, open: number): number | undefined {
  for (let i = open + 1; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === '"') return i + 1;
  }
  return undefined;
}

function decode(value: string): string | undefined {
  if (!value.startsWith('"')) return value;
  try {
    const decoded: unknown = JSON.parse(value);
    return typeof decoded === 'string' ? decoded : undefined;
  } catch {
    return undefined;
  }
}
