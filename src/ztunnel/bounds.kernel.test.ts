import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'tap';
import { cannotMakeNetns, type LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { workload } from '#shared/testing/topology.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const skip = cannotMakeNetns();
const OPEN_FILES = 1_024;
/** More than the process has descriptors for. */
const TOO_MANY = 900;

/** An answer proves that the connection is carried; a refused one is reset, at times before the client has seen it open. */
async function opened(from: LabNetns, ip: string): Promise<Socket | undefined> {
  const socket = await from.connect({ ip, port: 8080 }).catch(() => undefined);
  if (socket === undefined) return undefined;
  return new Promise(resolve => {
    socket.once('data', () => resolve(socket));
    socket.once('close', () => resolve(undefined));
    socket.write('x');
  });
}

test('a pod that opens more connections than ztunnel has descriptors for leaves the other pods theirs', {
  skip,
}, async t => {
  const lab = new NetnsLab();
  const state = stateDirectory({
    workloads: [
      workload('hog', { addresses: [lab.client.ipv4, lab.client.ipv6] }),
      workload('server', { addresses: [lab.pod.ipv4, lab.pod.ipv6] }),
    ],
  });
  const pods = join(state.path, 'pods');
  mkdirSync(pods);
  writeFileSync(join(pods, 'uid-hog.json'), podFile('hog', lab.client));
  writeFileSync(join(pods, 'uid-server.json'), podFile('server', lab.pod));
  for (const netns of [lab.client, lab.pod])
    await netns.listen({ ip: netns.ipv4, port: 8080 }, socket => {
      socket.pipe(socket);
    });
  const environment = {
    ...nodeEnvironment(state.path, pods),
    ADMIN_UNIX_SOCKET: join(state.path, 'admin.sock'),
    CONNECTION_TERMINATION_DEADLINE: '1s',
  };
  const z = new ZtunnelProcess(environment, { openFiles: OPEN_FILES });
  t.teardown(async () => {
    await z.kill();
    lab.close();
    state.remove();
  });
  await z.says(/\tready\b/);
  await z.says(/room for connections\t.*room=896 roomIs="RLIMIT_NOFILE 1024" perPod=448/);
  const descriptors = (): number => readdirSync(`/proc/${z.child.pid}/fd`).length;
  const before = descriptors();

  const held: Socket[] = [];
  for (let i = 0; i < TOO_MANY; i += 20) {
    const batch = await Promise.all(Array.from({ length: 20 }, () => opened(lab.client, lab.pod.ipv4)));
    held.push(...batch.filter(socket => socket !== undefined));
  }
  t.ok(held.length > 100, `${held.length} are carried`);
  t.ok(descriptors() < OPEN_FILES - 100, `${descriptors()} descriptors are open`);
  t.notMatch(z.output, /EMFILE|resource_exhausted/);
  t.match(z.output, /connections of a pod are refused\t.*as are left for all others, of 896/);
  t.match(await z.adminText('/healthz/ready'), /^ready\nconnections are refused: pod default\//);
  t.match(
    await z.adminText('/metrics'),
    /ambient_connections_refused_total\{.*captured_pod="hog".*bound="node"\} \d/,
  );

  const other = await opened(lab.pod, lab.client.ipv4);
  t.not(other, undefined, 'the other pod still connects');
  other?.destroy();
  for (const socket of held) socket.destroy();
  while (descriptors() > before + 10) await nextTurn();
  const again = await Promise.all(Array.from({ length: 20 }, () => opened(lab.client, lab.pod.ipv4)));
  t.notOk(again.includes(undefined), 'and the first one does again when it has closed what it had');
  const text = await z.adminText('/metrics');
  t.match(
    text,
    /ambient_pod_connections\{captured_namespace="default",captured_pod="hog",direction="outbound"\} 20/,
  );
  t.match(await z.adminText('/healthz/ready'), /^ready\n$/);
});
