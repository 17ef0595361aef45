import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { cannotMakeNetns, type LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { workload } from '#shared/testing/topology.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory, ZtunnelProcess } from './testing/ztunnel-process.ts';

const skip = cannotMakeNetns();
const client = workload('client', { addresses: ['10.77.0.1'] });
const server = workload('server', { addresses: ['10.77.0.2'] });

/** Congestion control of the established connections of a namespace whose local or remote port is `port`. */
function inUse(netns: LabNetns, port: number): readonly string[] {
  const filter = `( sport = :${port} or dport = :${port} )`;
  const lines = netns.exec('ss', ['-tinH', 'state', 'established', filter]).split('\n');
  // Every connection has a line of its addresses, and an indented one that begins with its congestion control.
  const names = lines.filter(line => /^\s/.test(line)).map(line => line.trim().split(' ')[0] ?? '');
  return [...new Set(names)].sort();
}

test('congestion control of connections of captured pods', { skip }, async t => {
  const usual = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
  const cases = [
    ['of the network it is what the node uses', {}, usual],
    ['or what CONGESTION_CONTROL says', { CONGESTION_CONTROL: 'reno' }, 'reno'],
  ] as const;
  for (const [sentence, environment, expected] of cases) {
    const lab = new NetnsLab();
    const state = stateDirectory({ workloads: [client, server], services: [], policies: [] });
    const pods = join(state.path, 'pods');
    mkdirSync(pods);
    for (const [name, netns] of [
      ['client', lab.client],
      ['server', lab.pod],
    ] as const)
      writeFileSync(join(pods, `uid-${name}.json`), podFile(name, netns, 'ambient'));
    await lab.pod.listen({ ip: '10.77.0.2', port: 8080 }, socket => socket.pipe(socket));
    const z = new ZtunnelProcess({ ...nodeEnvironment(state.path, pods), ...environment });
    try {
      await z.says(/\tready\b/);
      const socket = await lab.client.connect({ ip: '10.77.0.2', port: 8080 });
      await new Promise(resolve => socket.once('data', resolve).write('hello'));

      t.same(inUse(lab.client, 15008), [expected], `${sentence}: the client's tunnel`);
      t.same(inUse(lab.pod, 15008), [expected], `${sentence}: the server's tunnel`);
      t.ok(
        inUse(lab.client, 15001).includes('reno'),
        'what the application says to ztunnel stays in the pod',
      );
      t.ok(inUse(lab.pod, 8080).includes('reno'), 'and what ztunnel says to the application');
      socket.destroy();
    } finally {
      await z.kill();
      lab.close();
      state.remove();
    }
  }
});

test('a congestion control that the kernel does not have', { skip }, async t => {
  const state = stateDirectory({ workloads: [], services: [], policies: [] });
  const pods = join(state.path, 'pods');
  mkdirSync(pods);
  const z = new ZtunnelProcess({ ...nodeEnvironment(state.path, pods), CONGESTION_CONTROL: 'nosuch' });
  t.teardown(async () => {
    await z.kill();
    state.remove();
  });
  await z.says(/CONGESTION_CONTROL: this kernel has no nosuch, but .*reno/);
});
