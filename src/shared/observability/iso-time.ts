let second = Number.NaN;
let prefix = '';

/** As `Date.prototype.toISOString`, of `ms` since 1970: a busy log asks for the same second thousands of times. */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (whole !== second) {
    prefix = new Date(whole * 1000).toISOString().slice(0, -4);
    second = whole;
  }
  return `${prefix}${String(Math.floor(ms) - whole * 1000).padStart(3, '0')}Z`;
}
