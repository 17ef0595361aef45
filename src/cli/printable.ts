/**
 * Control characters but for line ends and tabs, and those that turn the direction of text: what a terminal would do something
 * with. Names, messages and headers come from whoever may write objects or send requests.
 */
// oxlint-disable-next-line no-control-regex -- control characters are what this removes
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The same text with such characters as `\u001b`, which in JSON means the same. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
