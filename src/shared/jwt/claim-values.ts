import type { Claims } from './token.ts';

/** The claim at the end of a way through nested objects; undefined where there is none. */
export function claimAt(claims: Claims, path: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

/**
 * A claim as the texts a policy compares: itself, or the items of a list, each of which may match. Numbers and booleans are
 * written out; objects have no text.
 */
export function claimTexts(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(textOf).filter(text => text !== undefined);
  const text = textOf(value);
  return text === undefined ? [] : [text];
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** A claim as the value of a header: texts, numbers and booleans as they are, lists and objects as base64url of JSON. */
export function claimHeader(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = textOf(value);
  if (text === undefined) return Buffer.from(JSON.stringify(value)).toString('base64url');
  // Header values are bytes in Latin-1 text. What would end a line cannot stand in one.
  return hasControl(text) ? undefined : Buffer.from(text).toString('latin1');
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}
