import fc from 'fast-check';
import { test } from 'tap';
import { levelShares } from './level-shares.ts';

const shares = (...levels: readonly (readonly [number, number])[]): number[] =>
  levelShares(levels.map(([usable, total]) => ({ usable, total }))).map(share => Math.round(share * 100));

test("a level keeps its traffic until fewer than 72 % are usable: Envoy's published table", t => {
  t.same(shares([100, 100], [100, 100]), [100, 0]);
  t.same(shares([72, 100], [72, 100]), [100, 0]);
  t.same(shares([71, 100], [71, 100]), [99, 1]);
  t.same(shares([50, 100], [50, 100]), [70, 30]);
  t.same(shares([25, 100], [100, 100]), [35, 65]);
  t.same(shares([25, 100], [25, 100]), [50, 50]);
  t.same(shares([25, 100], [25, 100], [20, 100]), [36, 36, 29]);
  t.same(shares([0, 100], [10, 100]), [0, 100]);
  t.same(shares([0, 100], [0, 100]), [0, 0]);
  t.end();
});

test('shares add up to the whole, and go to levels that have somebody', t => {
  const level = fc.nat(50).chain(total => fc.record({ total: fc.constant(total), usable: fc.nat(total) }));
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 6 }), levels => {
      const made = levelShares(levels);
      const sum = made.reduce((all, share) => all + share, 0);
      const some = levels.some(({ usable }) => usable > 0);
      return (
        Math.abs(sum - (some ? 1 : 0)) < 1e-9 &&
        made.every((share, i) => share === 0 || (levels[i]?.usable ?? 0) > 0)
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});
