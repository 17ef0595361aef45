import { test } from 'tap';
import { type CongestionPolicy, isLongPath, tunnelCongestion } from './congestion-policy.ts';

const policies: readonly [string, string, string, readonly string[], CongestionPolicy | undefined][] = [
  ['a node that does not pace is left alone', 'auto', 'cubic', ['cubic', 'reno'], undefined],
  [
    'where the node paces, tunnels do only on long paths',
    'auto',
    'bbr',
    ['bbr', 'cubic', 'reno'],
    { algorithm: 'cubic', onLongPath: 'bbr' },
  ],
  [
    'a process that may not use cubic has reno',
    'auto',
    'bbr2',
    ['bbr2', 'reno'],
    { algorithm: 'reno', onLongPath: 'bbr2' },
  ],
  ['there is nothing else', 'auto', 'bbr', ['bbr'], undefined],
  ['it cannot be told what the node uses', 'auto', '', ['cubic', 'reno'], undefined],
  ['the node decides', 'node', 'bbr', ['bbr', 'reno'], undefined],
  [
    'by name, whatever the path',
    'bbr',
    'cubic',
    ['bbr', 'cubic'],
    { algorithm: 'bbr', onLongPath: undefined },
  ],
  ['a name that the kernel does not have', 'nosuch', 'bbr', ['bbr', 'reno'], undefined],
];

test('congestion control of tunnels', t => {
  for (const [sentence, setting, usual, available, expected] of policies)
    t.same(
      tunnelCongestion(setting, {
        usual,
        available: available.join(' '),
        has: name => available.includes(name),
      }),
      expected,
      sentence,
    );
  t.end();
});

test('a path is long', t => {
  t.equal(isLongPath(150), false, 'not within a rack');
  t.equal(isLongPath(2_900), false, 'nor between the zones of a region');
  t.equal(isLongPath(12_000), true, 'between regions');
  t.equal(isLongPath(0), true, 'and where a packet of the handshake was lost');
  t.end();
});
