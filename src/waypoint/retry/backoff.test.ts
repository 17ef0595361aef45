import { test } from 'tap';
import { retryBackoffMs } from './backoff.ts';

const POLICY = { backoffBaseMs: 25, backoffMaxMs: 250 };

test('retryBackoffMs', async t => {
  t.equal(retryBackoffMs(POLICY, 0, 0), 0, 'full jitter begins at 0');
  t.equal(retryBackoffMs(POLICY, 0, 0.5), 12.5, 'and goes up to the base');
  t.equal(retryBackoffMs(POLICY, 2, 0.5), 50, 'which doubles');
  t.equal(retryBackoffMs(POLICY, 10, 0.5), 125, 'up to the maximum');
  t.equal(retryBackoffMs(POLICY, 5000, 0.5), 125, 'without overflow');
});
