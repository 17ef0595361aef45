import { test } from 'tap';
import { requireCongestionControl } from './congestion-control.ts';

test('what the kernel has can be used; what it does not have is refused with what there is', async t => {
  t.doesNotThrow(() => requireCongestionControl('reno'));
  t.throws(() => requireCongestionControl('nosuch'), {
    message: /CONGESTION_CONTROL: this kernel has no nosuch, but .*reno.*; choose one of these/,
  });
});
