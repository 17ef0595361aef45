import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { test } from 'tap';
import { MAX_SOCKS5_BYTES, parseGreeting, parseRequest } from './request.ts';

const budgetMs = Number(process.env['FUZZ_SECONDS'] ?? '1') * 500;
const run = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: budgetMs,
  markInterruptAsFailure: false,
};

/** Bytes that mostly start like SOCKS5. */
const bytes = fc
  .tuple(
    fc.constantFrom(5, 5, 5, 4, 0x47),
    fc.constantFrom(1, 1, 2, 3, 0, 255),
    fc.constantFrom(0, 0, 1),
    fc.constantFrom(1, 3, 4, 2),
    fc.uint8Array({ maxLength: 300 }),
  )
  .map(([a, b, c, d, rest]) => Uint8Array.of(a, b, c, d, ...rest));

for (const [what, parse] of [
  ['greeting', parseGreeting],
  ['request', parseRequest],
] as const) {
  test(`any bytes as a ${what}: an answer, never an exception, within bounds`, t => {
    fc.assert(
      fc.property(bytes, input => {
        const step = parse(input);
        if (step.kind === 'incomplete') return input.length < MAX_SOCKS5_BYTES;
        if (step.kind === 'error') return step.reason !== '';
        if (step.length > input.length) throw new Error('claims bytes that are not there');
        if (step.kind === 'request' && (step.port < 1 || step.port > 65_535))
          throw new Error(`port ${step.port}`);
        // The same answer for the message alone, and none for a byte less.
        if (!isDeepStrictEqual(parse(input.subarray(0, step.length)), step))
          throw new Error('depends on what follows');
        return parse(input.subarray(0, step.length - 1)).kind === 'incomplete';
      }),
      run,
    );
    t.end();
  });
}
