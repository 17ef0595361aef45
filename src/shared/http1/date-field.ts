let renderedSecond = -1;
let rendered = '';

/** `date` line for `nowMs` (wall clock), rendered once a second. */
export function dateLine(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== renderedSecond) {
    renderedSecond = second;
    rendered = `date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return rendered;
}
