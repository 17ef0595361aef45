/** A SPIFFE id, trust domain or trust bundle that is not acceptable. The message quotes the value and says what is wrong. */
export class SpiffeError extends Error {
  override readonly name = 'SpiffeError';
}

/** Untrusted text in a message: quoted, control characters escaped, cut so that a log line stays a line. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 128 ? `${text.slice(0, 128)}…` : text);
}
