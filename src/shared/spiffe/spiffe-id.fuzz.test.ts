import { deepStrictEqual, equal, ok } from 'node:assert';
import fc from 'fast-check';
import { test } from 'tap';
import { formatSpiffeId, isSpiffeId, serviceAccountOf, spiffeIdFault } from './spiffe-id.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 1);
const options = { interruptAfterTimeLimit: (seconds * 1000) / 2, numRuns: 10_000_000 };

test('whatever is accepted is its own canonical form and is read alike by the platform’s URL parser', t => {
  const piece = fc.oneof(
    fc.constantFrom(
      'spiffe://',
      '/',
      'ns',
      'sa',
      '/ns/',
      '/sa/',
      'td',
      '..',
      '%2f',
      'A',
      '@',
      ':',
      '?',
      '#',
      '\0',
    ),
    fc.string({ maxLength: 4, unit: 'binary' }),
  );
  const near = fc.tuple(
    fc.string({ maxLength: 3 }),
    fc.string({ maxLength: 3 }),
    fc.string({ maxLength: 3 }),
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join('')),
    near.map(([td, ns, sa]) => `spiffe://${td}/ns/${ns}/sa/${sa}`),
  );
  fc.assert(
    fc.property(text, candidate => {
      if (!isSpiffeId(candidate)) {
        ok(spiffeIdFault(candidate));
        return;
      }
      equal(spiffeIdFault(candidate), undefined);
      const parts = serviceAccountOf(candidate);
      equal(formatSpiffeId(parts), candidate);
      const url = new URL(candidate);
      deepStrictEqual(
        [url.host, url.pathname],
        [parts.trustDomain, `/ns/${parts.namespace}/sa/${parts.serviceAccount}`],
      );
    }),
    options,
  );
  t.end();
});
