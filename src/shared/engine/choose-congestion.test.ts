import { test } from 'tap';
import { chooseTunnelCongestion } from './choose-congestion.ts';

test('what the kernel has can be used; what it does not have is refused with what there is', t => {
  t.same(chooseTunnelCongestion('reno', 'native'), { algorithm: 'reno', onLongPath: undefined });
  t.equal(chooseTunnelCongestion('node', 'native'), undefined);
  t.throws(() => chooseTunnelCongestion('nosuch', 'native'), {
    message: /CONGESTION_CONTROL: this kernel has no nosuch .*but .*reno.*; choose one of these/,
  });
  t.equal(chooseTunnelCongestion('reno', 'node'), undefined, 'the portable engine chooses nothing');
  t.end();
});
