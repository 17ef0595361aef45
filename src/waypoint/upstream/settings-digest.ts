import { createHash } from 'node:crypto';

/** The same for settings that say the same, and short: authorities stand in them as text, and it is part of many keys. */
export function digestOf(settings: object): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('base64');
}
