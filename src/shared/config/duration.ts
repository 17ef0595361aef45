const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
  ['us', 0.001],
  ['µs', 0.001],
  ['ns', 0.000_001],
]);

const DURATION = /^(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s|us|\u00b5s|ns)){1,4}$/;

/** Go's and Gateway API's durations (`1h30m`, `2.5s`, `100ms`); undefined when malformed. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/([\d.]+)([a-z\u00b5]+)/g)) {
    total += Number(number) * (UNITS_MS.get(unit) ?? 0);
  }
  return total;
}
