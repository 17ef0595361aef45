import { getHeader, type HeaderList, removeHeader, setHeader } from './headers.ts';

/**
 * Value of the first cookie of that name, without quotes (RFC 6265 §5.4; HTTP/2 may split the field, RFC 9113 §8.2.3), or
 * undefined.
 */
export function readCookie(headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue;
    const value = readFrom(headers[i + 1] ?? '', name);
    if (value !== undefined) return value;
  }
  return undefined;
}

function readFrom(field: string, name: string): string | undefined {
  for (let start = 0; start < field.length; ) {
    const semicolon = field.indexOf(';', start);
    const end = semicolon < 0 ? field.length : semicolon;
    const equals = field.indexOf('=', start);
    if (equals >= 0 && equals < end && field.slice(start, equals).trim() === name) {
      return field
        .slice(equals + 1, end)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    }
    start = end + 1;
  }
  return undefined;
}

/** Takes every cookie of the name away, and the header with the last one. */
export function withoutCookie(headers: HeaderList, name: string): void {
  const cookies = getHeader(headers, 'cookie');
  if (cookies === undefined) return;
  const kept = cookies.split(';').filter(pair => nameOf(pair) !== name);
  const text = kept.join(';').trim();
  if (text === '') removeHeader(headers, 'cookie');
  else if (text !== cookies) setHeader(headers, 'cookie', text);
}

function nameOf(pair: string): string | undefined {
  const equals = pair.indexOf('=');
  return equals < 0 ? undefined : pair.slice(0, equals).trim();
}
