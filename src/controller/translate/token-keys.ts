import type { Fields } from './decode.ts';

/** Where the keys of tokens are fetched. */
export function checkKeysUri(fields: Fields, key: string, uri: string): void {
  if (!/^https?:\/\/[^/]/.test(uri)) fields.reject(key, 'is no HTTP address', 'begin it with https://');
}
