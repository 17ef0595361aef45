/** Text that somebody has broken over lines (an error of a library or server, a cell of a table). */
export function singleLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}
