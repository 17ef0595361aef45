import { mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { cannotMakeNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { workload } from '#shared/testing/topology.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const skip = cannotMakeNetns();
/** Clients that connect again and again, each after the last answer. */
const CLIENTS = 8;

/** Two captured pods, and ztunnels that share a node as they do during an upgrade. */
function setUp() {
  const lab = new NetnsLab();
  const state = stateDirectory({
    workloads: [
      workload('client', { addresses: [lab.client.ipv4, lab.client.ipv6] }),
      workload('server', { addresses: [lab.pod.ipv4, lab.pod.ipv6] }),
    ],
  });
  const pods = join(state.path, 'pods');
  mkdirSync(pods);
  for (const [name, netns] of [
    ['client', lab.client],
    ['server', lab.pod],
  ] as const) {
    writeFileSync(join(pods, `uid-${name}.json`), podFile(name, netns));
  }
  const start = (name: string): ZtunnelProcess =>
    new ZtunnelProcess({
      ...nodeEnvironment(state.path, pods),
      ADMIN_UNIX_SOCKET: join(state.path, `${name}.sock`),
      CONNECTION_TERMINATION_DEADLINE: '5s',
    });
  return { lab, state, start };
}

/** One connection: a question, its answer, the end. Rejects with what went wrong. */
async function ask(lab: NetnsLab): Promise<string> {
  const socket: Socket = await lab.client.connect({ ip: lab.pod.ipv4, port: 8080 });
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', data => (text += data.toString()));
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
    socket.end('hello');
  });
}

test('one ztunnel takes over from another under load: no new connection fails, none that lives is cut', {
  skip,
}, async t => {
  const { lab, state, start } = setUp();
  await lab.pod.listen({ ip: lab.pod.ipv4, port: 8080 }, socket => {
    socket.pipe(socket);
  });
  const old = start('old');
  t.teardown(async () => {
    await old.kill();
    lab.close();
    state.remove();
  });
  await old.says(/\tready\b/);

  const kept = await lab.client.connect({ ip: lab.pod.ipv4, port: 8080 });
  const failures: string[] = [];
  let answered = 0;
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      await ask(lab).then(
        text => {
          if (text === 'hello') answered++;
          else failures.push(`answered ${JSON.stringify(text)}`);
        },
        (error: Error) => failures.push(error.message),
      );
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const more = async (count: number): Promise<void> => {
    const until = answered + count;
    while (answered < until && failures.length === 0) await new Promise(resolve => setImmediate(resolve));
  };
  await more(200);
  const young = start('young');
  t.teardown(() => young.kill());
  await young.says(/\tready\b/);
  await more(200);
  const exited = old.kill('SIGTERM');
  await more(200);
  const echo = new Promise<string>(resolve => kept.once('data', data => resolve(data.toString())));
  kept.write('still here');
  t.equal(await echo, 'still here', 'a connection of the old one lives while it may');
  kept.end();
  await more(200);
  isOver = true;
  await Promise.all(clients);
  t.same(failures, [], `${answered} connections`);
  t.equal(await exited, 0, 'the old one ends when its last connection has');
});
