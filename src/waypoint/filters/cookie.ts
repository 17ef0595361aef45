import { getHeader, type HeaderList, removeHeader, setHeader } from '#shared/http/headers.ts';

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
