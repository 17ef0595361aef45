import { mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { cannotMakeNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { workload } from '#shared/testing/topology.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const skip = cannotMakeNetns();

/** A captured client, a server that is captured too, and ztunnels of their node, of which some know the mesh. */
async function setUp(t: Test) {
  const lab = new NetnsLab();
  const mesh = {
    workloads: [
      workload('client', { addresses: [lab.client.ipv4, lab.client.ipv6] }),
      workload('server', { addresses: [lab.pod.ipv4, lab.pod.ipv6] }),
    ],
  };
  const known = stateDirectory(mesh);
  const unknown = stateDirectory({});
  const pods = join(known.path, 'pods');
  mkdirSync(pods);
  writeFileSync(join(pods, 'uid-client.json'), podFile('client', lab.client));
  writeFileSync(join(pods, 'uid-server.json'), podFile('server', lab.pod));
  let reached = 0;
  await lab.pod.listen({ ip: lab.pod.ipv4, port: 8080 }, socket => {
    reached++;
    socket.pipe(socket);
  });
  const running: ZtunnelProcess[] = [];
  const start = (state: string, more: Record<string, string> = {}): ZtunnelProcess => {
    const ztunnel = new ZtunnelProcess({
      ...nodeEnvironment(state, pods),
      ADMIN_UNIX_SOCKET: join(state, 'admin.sock'),
      CONNECTION_TERMINATION_DEADLINE: '1s',
      CONNECT_TIMEOUT: '1s',
      ...more,
    });
    running.push(ztunnel);
    return ztunnel;
  };
  t.teardown(async () => {
    await Promise.all(running.map(ztunnel => ztunnel.kill()));
    lab.close();
    known.remove();
    unknown.remove();
  });
  return { lab, known: known.path, unknown: unknown.path, start, reached: () => reached };
}

/** The same mesh, as a file. */
function fileOf(lab: NetnsLab): string {
  const pods = [
    ['client', lab.client],
    ['server', lab.pod],
  ] as const;
  const workloads = pods.map(([name, { ipv4, ipv6 }]) => ({
    name,
    namespace: 'default',
    serviceAccount: name,
    workloadIps: [ipv4, ipv6],
    protocol: 'HBONE',
  }));
  return JSON.stringify({ workloads });
}

/** What comes back, or what went wrong. */
async function ask(lab: NetnsLab): Promise<string> {
  const failed = (error: unknown): string =>
    error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const socket: Socket | string = await lab.client.connect({ ip: lab.pod.ipv4, port: 8080 }).catch(failed);
  if (typeof socket === 'string') return socket;
  return new Promise(resolve => {
    let text = '';
    socket.on('data', data => (text += data.toString()));
    socket.on('end', () => resolve(text));
    socket.on('error', error => resolve(failed(error)));
    socket.end('hello');
  });
}

test('beside one that serves, a ztunnel that knows nothing takes no connection; when it does, it takes over', {
  skip,
}, async t => {
  const { lab, known, unknown, start } = await setUp(t);
  const old = start(known);
  await old.says(/\tready\b/);
  const file = join(unknown, 'mesh.yaml');
  const young = start(unknown, { LOCAL_XDS_PATH: file });
  await young.says(/a pod stays with the older ztunnel of this node\t.*pod="server"/);
  await young.says(/a pod stays with the older ztunnel of this node\t.*pod="client"/);
  for (let i = 0; i < 100; i++) t.equal(await ask(lab), 'hello');
  t.notMatch(young.output, /\taccess\t/);
  const ready = await young.adminText('/healthz/ready');
  t.match(
    ready,
    /^waiting for: state of the mesh, workload sockets\ncaptured pods are refused, but for those that an older/,
  );
  t.match(
    ready,
    /pod default\/client stays with the older ztunnel of this node: the configuration of the mesh is not known yet/,
  );

  writeFileSync(file, fileOf(lab));
  await young.says(/\tready\b/);
  t.equal(await old.kill('SIGTERM'), 0);
  for (let i = 0; i < 20; i++) t.equal(await ask(lab), 'hello');
  await young.says(/src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client".*direction="inbound"/);
});

test('with no other one there, connections of captured pods wait for a moment and are refused then, and never leave in plaintext', {
  skip,
}, async t => {
  const { lab, known, unknown, start, reached } = await setUp(t);
  const first = start(known);
  await first.says(/\tready\b/);
  t.equal(await ask(lab), 'hello');
  await first.kill();
  t.equal(reached(), 1);
  t.equal(await ask(lab), 'ECONNREFUSED', 'the rules stay');

  const file = join(unknown, 'mesh.yaml');
  const young = start(unknown, { LOCAL_XDS_PATH: file });
  await young.says(/pod enrolled\t.*pod="client"/);
  t.equal(await ask(lab), 'ECONNRESET');
  await young.says(/connection failed\t.*error="the configuration of the mesh is not known yet: /);
  await young.says(/\terror\t.*the mesh is not known\t.*captured pods are refused/);
  t.match(
    await young.adminText('/healthz/ready'),
    /^waiting for: state of the mesh\ncaptured pods are refused/,
  );
  t.match(await young.admin('/debug/pods'), {
    waiting: [/^captured pods are refused.*no usable snapshot in \/dev\/shm/],
  });
  t.equal(reached(), 1, 'nothing came to the server');
  t.notMatch(young.output, /connection complete/);

  writeFileSync(file, fileOf(lab));
  await young.says(/\tready\b/);
  while ((await ask(lab)) !== 'hello') await nextTurn();
  await young.says(/src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client".*direction="inbound"/);
  t.match(await young.adminText('/healthz/ready'), /^ready\n$/);
});

test('a connection that comes a moment before the mesh is known is served', { skip }, async t => {
  const { lab, known, unknown, start } = await setUp(t);
  const first = start(known);
  await first.says(/\tready\b/);
  await first.kill();
  const file = join(unknown, 'mesh.yaml');
  const young = start(unknown, { LOCAL_XDS_PATH: file, CONNECT_TIMEOUT: '1m' });
  await young.says(/pod enrolled\t.*pod="client"/);
  const answer = ask(lab);
  await nextTurn();
  writeFileSync(file, fileOf(lab));
  t.equal(await answer, 'hello');
  await young.says(/src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client"/);
});
