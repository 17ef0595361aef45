import { test } from 'tap';
import { chooseTunnelCongestion } from './choose-congestion.ts';

function listener() {
  const said: string[] = [];
  const hear = (message: string): void => void said.push(message);
  return { said, info: hear, warn: hear };
}

test('what the kernel has can be used; what it does not have is refused with what there is', t => {
  const logger = listener();
  t.same(chooseTunnelCongestion('reno', 'native', logger), { algorithm: 'reno', onLongPath: undefined });
  t.same(logger.said, ['congestion control of tunnels']);
  t.equal(chooseTunnelCongestion('node', 'native', logger), undefined);
  t.throws(() => chooseTunnelCongestion('nosuch', 'native', logger), {
    message: /CONGESTION_CONTROL: this kernel has no nosuch .*but .*reno.*; choose one of these/,
  });
  t.end();
});

test('the portable engine chooses nothing, and says so where it was asked for', t => {
  const logger = listener();
  t.equal(chooseTunnelCongestion('auto', 'node', logger), undefined);
  t.same(logger.said, []);
  t.equal(chooseTunnelCongestion('reno', 'node', logger), undefined);
  t.match(logger.said, [/CONGESTION_CONTROL has no effect/]);
  t.end();
});
