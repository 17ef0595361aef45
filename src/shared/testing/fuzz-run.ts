import fc from 'fast-check';

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

/**
 * `fc.assert` of an asynchronous property with `fuzzRun`. Its first run is waited for: on a busy machine its share of the time
 * may be over before that has ended, which fast-check takes for a failure.
 */
export async function fuzzAsync<T>(property: fc.IAsyncProperty<T>, properties: number): Promise<void> {
  await fc.assert(property, { numRuns: 1 });
  const details = await fc.check(property, fuzzRun(properties));
  if (details.failed && !(details.interrupted && details.counterexample === null))
    throw new Error(fc.defaultReportMessage(details));
}
