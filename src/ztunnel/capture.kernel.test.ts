import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { test } from 'tap';
import { cannotMakeNetns, type LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { endpointOf, policy, port, service, workload } from '#shared/testing/topology.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const skip = cannotMakeNetns();
const orders = service('orders', {
  addresses: [
    { network: '', ip: '10.96.0.1', prefixLength: undefined },
    { network: '', ip: 'fd96::1', prefixLength: undefined },
  ],
  ports: [port(80, 8080)],
});
const client = workload('client', { addresses: ['10.77.0.1', 'fd77::1'] });
const server = workload('orders-1', { addresses: ['10.77.0.2', 'fd77::2'], services: endpointOf(orders) });

/** What the server answers to one message. */
async function ask(from: LabNetns, ip: string, toPort: number): Promise<string> {
  const socket: Socket = await from.connect({ ip, port: toPort });
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', data => (text += data.toString()));
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
    socket.end('hello');
  });
}

test('the real program captures two pods in the kernel and carries their traffic', { skip }, async t => {
  const lab = new NetnsLab();
  const state = stateDirectory({
    workloads: [client, server],
    services: [orders],
    policies: [policy('no-9999', 'deny', [{ destinationPorts: [9999] }], { scope: 'namespace' })],
  });
  const pods = join(state.path, 'pods');
  mkdirSync(pods);
  const write = (name: string, netns: LabNetns, mode: 'ambient' | 'none'): void =>
    writeFileSync(join(pods, `uid-${name}.json`), podFile(name, netns, mode));
  write('client', lab.client, 'ambient');
  write('orders-1', lab.pod, 'ambient');
  // The application answers who it believes its client to be.
  const answer = (socket: Socket): void => {
    const from = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
    socket.on('data', data => socket.write(`${from} said ${data.toString()}`));
    socket.on('end', () => socket.end());
  };
  await lab.pod.listen({ ip: '10.77.0.2', port: 8080 }, answer);
  await lab.pod.listen({ ip: 'fd77::2', port: 8080 }, answer);
  await lab.pod.listen({ ip: '10.77.0.2', port: 9999 }, answer);

  const z = new ZtunnelProcess({
    ...nodeEnvironment(state.path, pods),
    ADMIN_UNIX_SOCKET: join(state.path, 'admin.sock'),
    CONNECTION_TERMINATION_DEADLINE: '1s',
  });
  t.teardown(async () => {
    await z.kill();
    lab.close();
    state.remove();
  });
  await z.says(/\tready\b/);

  t.equal(
    await ask(lab.client, '10.96.0.1', 80),
    '10.77.0.1 said hello',
    "by VIP; the application sees the client's own address",
  );
  await z.says(/direction="inbound" bytes_sent=\d+ bytes_recv=5/);
  t.match(
    z.output,
    /src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client".*direction="inbound"/,
    'over HBONE',
  );
  t.equal(await ask(lab.client, 'fd96::1', 80), 'fd77::1 said hello', 'IPv6 alike');
  t.equal(await ask(lab.client, '10.77.0.2', 8080), '10.77.0.1 said hello', 'by pod address');
  await t.rejects(ask(lab.client, '10.77.0.2', 9999), 'a DENY is a reset');
  await z.says('denied by default/no-9999 rule 0');
  await t.rejects(ask(lab.client, '10.77.0.1', 15001), 'the capture port itself takes nothing');

  // The client leaves the mesh: its connections arrive in plaintext and are captured at the server alone.
  write('client', lab.client, 'none');
  await z.says(/pod left/);
  t.equal(await ask(lab.client, '10.77.0.2', 8080), '10.77.0.1 said hello', 'from outside the mesh');
  await z.says(/dst\.addr="10\.77\.0\.2:8080".*direction="inbound"/);
  await t.rejects(ask(lab.client, '10.77.0.2', 9999), 'policy holds for plaintext too');

  const exit = z.kill('SIGTERM');
  t.equal(await exit, 0);
});
