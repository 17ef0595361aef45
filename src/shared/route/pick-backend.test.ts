import { test } from 'tap';
import type { RouteBackend } from './model.ts';
import { pickBackend } from './pick-backend.ts';

const backend = (service: string, weight: number): RouteBackend => ({
  weight,
  service,
  port: 80,
  subset: undefined,
  filters: [],
});

/** Every value a draw of `total` equal parts can give, once. */
function shares(backends: readonly RouteBackend[], total: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < total; i++) {
    const name = pickBackend(backends, i / total)?.service ?? 'none';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

test('pickBackend', async t => {
  t.same(
    shares([backend('v1', 90), backend('v2', 10)], 1000),
    new Map([
      ['v1', 900],
      ['v2', 100],
    ]),
    'each backend gets exactly its share',
  );
  t.same(
    shares([backend('v1', 0), backend('v2', 3)], 99),
    new Map([['v2', 99]]),
    'a weight of 0 takes nothing',
  );
  t.same(
    shares([backend('v1', 1), backend('v2', 0)], 99),
    new Map([['v1', 99]]),
    'in the last place neither',
  );
  t.equal(pickBackend([backend('v1', 0)], 0.5), undefined, 'one backend of weight 0 is none');
  t.equal(pickBackend([backend('v1', 0), backend('v2', 0)], 0.5), undefined, 'all weights 0 is none');
  t.equal(pickBackend([], 0.5), undefined, 'no backend is none');
  t.equal(
    pickBackend([backend('a', 1), backend('b', 1)], 1 - 2 ** -53)?.service,
    'b',
    'the highest draw is the last',
  );
});
