let second = Number.NaN;
let prefix = '';
let last = Number.NaN;
let lastText = '';

/** As `Date.prototype.toISOString`, of `ms` since 1970: a busy log asks for the same second, and the same millisecond, many times. */
export function isoTime(ms: number): string {
  if (ms === last) return lastText;
  last = ms;
  return (lastText = make(ms));
}

function make(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (whole !== second) {
    prefix = new Date(whole * 1000).toISOString().slice(0, -4);
    second = whole;
  }
  return `${prefix}${String(Math.floor(ms) - whole * 1000).padStart(3, '0')}Z`;
}
