import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { tunnelCongestion } from '#shared/engine/congestion-policy.ts';
import { kernelCongestionControls } from '#shared/engine/native/congestion-control.ts';
import { cannotMakeNetns, cannotSlowLinks, type LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { testEngineName } from '#shared/testing/engine.ts';
import { workload } from '#shared/testing/topology.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

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

/** Two captured pods under one ztunnel, and a server that echoes. */
class Pair {
  readonly lab = new NetnsLab();
  readonly ztunnel: ZtunnelProcess;
  readonly #state = stateDirectory({ workloads: [client, server], services: [], policies: [] });

  constructor(environment: Record<string, string>) {
    const pods = join(this.#state.path, 'pods');
    mkdirSync(pods);
    const write = (name: string, netns: LabNetns): void =>
      writeFileSync(join(pods, `uid-${name}.json`), podFile(name, netns, 'ambient'));
    write('client', this.lab.client);
    write('server', this.lab.pod);
    this.ztunnel = new ZtunnelProcess({ ...nodeEnvironment(this.#state.path, pods), ...environment });
  }

  async ready(): Promise<void> {
    await this.lab.pod.listen({ ip: '10.77.0.2', port: 8080 }, socket => socket.pipe(socket));
    await this.ztunnel.says(/\tready\b/);
  }

  async connect(): Promise<Socket> {
    const socket = await this.lab.client.connect({ ip: '10.77.0.2', port: 8080 });
    await new Promise(resolve => socket.once('data', resolve).write('hello'));
    return socket;
  }

  async close(): Promise<void> {
    await this.ztunnel.kill();
    this.lab.close();
    this.#state.remove();
  }
}

const usual = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
const isNative = testEngineName() === 'native';
const onShortPath =
  (isNative ? tunnelCongestion('auto', kernelCongestionControls)?.algorithm : undefined) ?? usual;

test('congestion control of connections of captured pods', { skip }, async t => {
  const cases = [
    ['of a tunnel on a short path it does not pace', {}, onShortPath],
    ['or is what the node uses', { CONGESTION_CONTROL: 'node' }, usual],
    ['or what it is called', { CONGESTION_CONTROL: 'reno' }, isNative ? 'reno' : usual],
  ] as const;
  for (const [sentence, environment, expected] of cases) {
    const pair = new Pair(environment);
    try {
      await pair.ready();
      const socket = await pair.connect();
      t.same(inUse(pair.lab.client, 15008), [expected], `${sentence}: the client's tunnel`);
      t.same(inUse(pair.lab.pod, 15008), [expected], `${sentence}: the server's tunnel`);
      t.ok(
        inUse(pair.lab.client, 15001).includes('reno'),
        'what an application says to ztunnel stays in the pod',
      );
      t.ok(inUse(pair.lab.pod, 8080).includes('reno'), 'and what ztunnel says to an application');
      socket.destroy();
    } finally {
      await pair.close();
    }
  }
});

/** The kernel has no means here to make a path long, but to let packets wait behind others. */
test('on a long path it is what the node uses', { skip: skip || cannotSlowLinks() }, async t => {
  const pair = new Pair({});
  t.teardown(() => pair.close());
  await pair.ready();
  pair.lab.client.slow(pair.lab.client.link, '128kbit');
  // Two seconds of them.
  const datagrams = 'for i in $(seq 24); do head -c 1400 /dev/zero > /dev/udp/10.77.0.2/9; done';
  pair.lab.client.exec('bash', ['-c', datagrams]);
  const socket = await pair.connect();
  t.same(inUse(pair.lab.client, 15008), [usual]);
  socket.destroy();
});

test('a congestion control that the kernel does not have', { skip }, async t => {
  const pair = new Pair({ CONGESTION_CONTROL: 'nosuch' });
  t.teardown(() => pair.close());
  await pair.ztunnel.says(
    isNative
      ? /CONGESTION_CONTROL: this kernel has no nosuch .*but .*reno/
      : /CONGESTION_CONTROL has no effect: the portable engine runs/,
  );
});
