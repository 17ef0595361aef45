import fc from 'fast-check';
import { test } from 'tap';
import { makeHashRing, ownerOf } from './hash-ring.ts';
import { makeMaglevTable } from './maglev.ts';
import { hashText } from './text-hash.ts';

type Lookup = (hash: number) => string;

const TABLE_SIZE = 65_537;
const HASHES = Array.from({ length: 4_000 }, (_, i) => hashText(`client-${i}`));

function ring(keys: readonly string[], weights = keys.map(() => 1)): Lookup {
  const made = makeHashRing(keys, weights, 1_024);
  return hash => keys[ownerOf(made, hash)] ?? '';
}

function maglev(keys: readonly string[], weights = keys.map(() => 1)): Lookup {
  const table = makeMaglevTable(keys, weights, TABLE_SIZE);
  return hash => keys[table[hash % TABLE_SIZE] ?? 0] ?? '';
}

const ALGORITHMS = [
  ['ring hash', ring, 0],
  // Maglev trades evenness for a little movement among those that stay: measured below 3 %, bounded at 5 %.
  ['Maglev', maglev, 0.05],
] as const;

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `pod-${i}:8080`);

test('when an endpoint goes, only its own keys move, and they go to many', t => {
  for (const [algorithm, make, strays] of ALGORITHMS) {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), (count, pick) => {
        const keys = names(count);
        const gone = keys[pick % count] ?? '';
        const before = make(keys);
        const after = make(keys.filter(key => key !== gone));
        const moved = HASHES.filter(hash => before(hash) !== gone && before(hash) !== after(hash));
        return moved.length <= HASHES.length * strays;
      }),
      { numRuns: 15 },
    );
    const before = make(names(20));
    const after = make(names(20).filter(key => key !== 'pod-7:8080'));
    const heirs = new Set(HASHES.filter(hash => before(hash) === 'pod-7:8080').map(after));
    t.ok(heirs.size > 10, `${algorithm}: ${heirs.size} others take over`);
  }
  t.end();
});

test('when an endpoint comes, keys move only to it', t => {
  for (const [algorithm, make, strays] of ALGORITHMS) {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), count => {
        const before = make(names(count));
        const after = make([...names(count), 'new:8080']);
        const moved = HASHES.filter(hash => before(hash) !== after(hash));
        return moved.filter(hash => after(hash) !== 'new:8080').length <= HASHES.length * (strays + 0.001);
      }),
      { numRuns: 15 },
    );
    t.pass(algorithm);
  }
  t.end();
});

test('keys are spread evenly, and by weight', t => {
  for (const [algorithm, make] of ALGORITHMS) {
    const count = 10;
    const lookup = make(names(count));
    const hits = Map.groupBy(HASHES, lookup);
    for (const [key, own] of hits)
      t.ok(
        Math.abs(own.length / HASHES.length - 0.1) < 0.03,
        `${algorithm}: ${key} has ${own.length} of 4000`,
      );
    const weighted = make(['light', 'heavy'], [1, 3]);
    const heavy = HASHES.filter(hash => weighted(hash) === 'heavy').length / HASHES.length;
    t.ok(
      Math.abs(heavy - 0.75) < 0.05,
      `${algorithm}: three times the weight, three times the keys (${heavy})`,
    );
  }
  t.end();
});

test('the order in which endpoints are listed plays no role', t => {
  for (const [algorithm, make, strays] of ALGORITHMS) {
    const [forth, back] = [make(names(30)), make(names(30).toReversed())];
    const differ = HASHES.filter(hash => forth(hash) !== back(hash)).length;
    t.ok(differ <= HASHES.length * strays * 2, `${algorithm}: ${differ} of ${HASHES.length}`);
  }
  t.end();
});

test('a ring is as large as is asked for, at least and at most', t => {
  const size = (count: number, least: number, most?: number): number => {
    const keys = names(count);
    return makeHashRing(
      keys,
      keys.map(() => 1),
      least,
      most,
    ).points.length;
  };
  t.equal(size(4, 1_024), 4_096, 'as large as it is anyway');
  t.equal(size(4, 10_000), 10_000);
  t.equal(size(4, 1_024, 512), 512);
  t.equal(size(4, 8, 3), 4, 'each endpoint has a point');
  t.end();
});
