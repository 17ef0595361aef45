/**
 * Parameters of `fc.assert` for a file with `properties` properties: an equal share of FUZZ_SECONDS each, or of one second
 * when it is unset.
 */
export function fuzzRun(properties: number): {
  numRuns: number;
  interruptAfterTimeLimit: number;
  markInterruptAsFailure: false;
} {
  const seconds = Number(process.env['FUZZ_SECONDS'] ?? 1);
  return {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: (seconds * 1000) / properties,
    markInterruptAsFailure: false,
  };
}
