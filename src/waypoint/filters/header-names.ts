import type { HeaderNameMatch } from '#shared/route/external-authorizer.ts';

/** Whether a header is one of those meant. Names are lower case on both sides. */
export function matchesName(matches: readonly HeaderNameMatch[], name: string): boolean {
  for (const match of matches) {
    switch (match.kind) {
      case 'any':
        return true;
      case 'exact':
        if (name === match.value) return true;
        break;
      case 'prefix':
        if (name.startsWith(match.value)) return true;
        break;
      case 'suffix':
        if (name.endsWith(match.value)) return true;
        break;
    }
  }
  return false;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Whether a service that was asked may set this header: a name in lower case that is no pseudo-header and none the codec
 * frames messages by, and a value that ends no line.
 */
export function isSettable(name: string, value: string): boolean {
  return TOKEN.test(name) && VALUE.test(value) && !FRAMING.has(name);
}

const FRAMING: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'te',
  'keep-alive',
  'proxy-connection',
  'expect',
]);
