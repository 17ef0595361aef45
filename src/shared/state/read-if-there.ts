import { readFileSync } from 'node:fs';

/** A file as text; undefined where it is not there, or may not be read. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
