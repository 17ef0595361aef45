import fc from 'fast-check';
import { test } from 'tap';
import { formatGrpcTimeout, parseGrpcTimeout } from './grpc-timeout.ts';

test('grpc-timeout: a number of at most eight digits and a unit', t => {
  const rows: readonly (readonly [string, number | undefined])[] = [
    ['1S', 1_000],
    ['250m', 250],
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['1500u', 1.5],
    ['500000n', 0.5],
    ['0m', 0],
    ['', undefined],
    ['100', undefined],
    ['1s', undefined],
    ['-1S', undefined],
    ['123456789S', undefined],
    ['1.5S', undefined],
  ];
  for (const [text, ms] of rows) t.equal(parseGrpcTimeout(text), ms, text);
  t.end();
});

test('what is told on is never longer than what is left, and hardly shorter', t => {
  fc.assert(
    fc.property(fc.double({ min: 1e-3, max: 1e10, noNaN: true }), ms => {
      const told = parseGrpcTimeout(formatGrpcTimeout(ms)) ?? 0;
      return told <= ms * (1 + 1e-9) && told >= ms / 2;
    }),
    { numRuns: 1_000 },
  );
  t.equal(formatGrpcTimeout(-5), '1n', 'over already');
  t.end();
});
