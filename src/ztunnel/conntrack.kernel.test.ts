import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'tap';
import { runInNetns } from '#shared/native/netns.ts';
import { cannotMakeNetns, type LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { workload } from '#shared/testing/topology.ts';
import { readConnectionTable } from './node/connection-table.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

/** Memory of the kernel's that a full table costs: some hundred bytes an entry. */
const MOST_ENTRIES = 600_000;
const skip = cannotMakeNetns() || cannotFill();

function cannotFill(): string | false {
  const most = readConnectionTable(undefined)?.most ?? Number.POSITIVE_INFINITY;
  if (most > MOST_ENTRIES) return `a table of ${most} entries is too large to fill`;
  return spawnSync('conntrack', ['--version']).status === 0 ? false : 'needs conntrack-tools';
}

/** Connections that are said to be open for an hour, as many as there may be. */
function fillTable(pod: LabNetns, file: string): void {
  const most = readConnectionTable(pod.netns.fd)?.most ?? 0;
  const commands: string[] = [];
  for (let n = 0; n < most + 1_000; n++) {
    const source = `10.1.${Math.floor(n / 50_000)}.1`;
    commands.push(
      `-A -p tcp -s ${source} -d 10.2.0.1 --sport ${1_000 + (n % 50_000)} --dport 80 --state ESTABLISHED -u ASSURED --timeout 3600`,
    );
  }
  writeFileSync(file, commands.join('\n'));
  // It ends with an error when there is no more room.
  runInNetns(pod.netns.fd, () => void spawnSync('conntrack', ['-R', file]));
}

const CONNECT = `
import socket, sys
try:
  print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])).recv(5).decode())
except Exception as error:
  print(type(error).__name__)`;

/** An entry that ends meanwhile leaves room for one: the second of them at the latest finds none. */
const DATAGRAMS = `
import socket, sys
try:
  for port in range(1, 100):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (sys.argv[1], port))
  print('sent')
except Exception as error:
  print(type(error).__name__)`;

async function python(within: LabNetns, program: string, ...args: string[]): Promise<string> {
  const command = ['netns', 'exec', within.name, 'python3', '-c', program, ...args];
  return (await promisify(execFile)('ip', command)).stdout.trim();
}

/** What an application in the namespace sees: what it is sent, or the kind of its error. */
function dial(from: LabNetns, ip: string, port: number, seconds: number): Promise<string> {
  return python(from, CONNECT, ip, String(port), String(seconds));
}

test('a table that is full: connections of the pod hang, datagrams are refused, and ztunnel says why', {
  skip,
}, async t => {
  const lab = new NetnsLab();
  const state = stateDirectory({
    workloads: [workload('client', { addresses: [lab.pod.ipv4, lab.pod.ipv6] })],
  });
  const pods = join(state.path, 'pods');
  mkdirSync(pods);
  writeFileSync(join(pods, 'uid-client.json'), podFile('client', lab.pod));
  const ztunnel = new ZtunnelProcess({
    ...nodeEnvironment(state.path, pods),
    ADMIN_UNIX_SOCKET: join(state.path, 'a.sock'),
  });
  t.teardown(async () => {
    await ztunnel.kill();
    lab.close();
    state.remove();
  });
  await ztunnel.says(/\tready\b/);
  const server = await lab.client.listen(
    { ip: lab.client.ipv4, port: 0 },
    socket => void socket.end('hello'),
  );
  t.equal(await dial(lab.pod, server.ip, server.port, 5), 'hello');

  fillTable(lab.pod, join(state.path, 'connections'));
  // An entry that ends meanwhile lets one connection in.
  const seen: string[] = [];
  while (seen.at(-1) !== 'TimeoutError' && seen.length < 5)
    seen.push(await dial(lab.pod, server.ip, server.port, 0.5));
  t.equal(seen.at(-1), 'TimeoutError', 'the first packet is dropped');
  t.equal(
    await python(lab.pod, DATAGRAMS, lab.client.ipv4),
    'PermissionError',
    'EPERM: a name is not found at once',
  );
  t.ok((readConnectionTable(lab.pod.netns.fd)?.drops ?? 0) > 0, 'the kernel counts it');

  await ztunnel.says(/error\tztunnel::conntrack\tconnection tracking is full.*where="pod default\/client"/);
  t.match(await ztunnel.admin('/debug/pods'), {
    warnings: [/^connection tracking of pod default\/client is full \(\d+ of \d+ entries, [1-9]/],
  });
  const metrics = await ztunnel.adminText('/metrics');
  t.match(metrics, /^ambient_conntrack_drops_total\{where="pod"\} [1-9]/m);
  t.match(metrics, /^ambient_conntrack_fill_ratio\{where="pod"\} (?:1|0\.99)/m);

  runInNetns(lab.pod.netns.fd, () => void spawnSync('conntrack', ['-F']));
  t.equal(await dial(lab.pod, server.ip, server.port, 5), 'hello', 'at once, when there is room');
});
