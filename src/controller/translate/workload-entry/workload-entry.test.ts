import { test } from 'tap';
import { goldenPairs } from '../../testing/golden-pairs.ts';
import { readWorkloadEntry } from './workload-entry.ts';

const CLUSTER = { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: '' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => readWorkloadEntry(object, CLUSTER)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});
