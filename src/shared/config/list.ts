/** The parts of a comma-separated value; blanks and empty parts do not count. */
export function parseList(text: string): string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
}
