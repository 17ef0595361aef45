/**
 * Parameters of `fc.assert`: an equal share of FUZZ_SECONDS for each of the file's properties, or a few hundred runs when
 * it is not set.
 */
export function fuzzBudget(properties: number): { numRuns: number; interruptAfterTimeLimit?: number } {
  const seconds = Number(process.env['FUZZ_SECONDS'] ?? 0);
  if (!(seconds > 0)) return { numRuns: 300 };
  return { numRuns: 100_000_000, interruptAfterTimeLimit: (seconds * 1000) / properties };
}
