import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { type Test, test } from 'tap';
import { runInNetns } from '#shared/native/netns.ts';
import { bindSocket, listenSocket, openTcpSocket } from '#shared/native/socket.ts';
import { familyOf } from '#shared/native/socket-address.ts';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { openDescriptors } from '#shared/testing/open-descriptors.ts';
import { ClusterNetwork } from './cluster-network.ts';
import type { PodNetwork } from './mesh-network.ts';
import { runProgram } from './run-program.ts';

const skip = cannotMakeNetns();

/** Answers each connection with the client's address. */
async function serve(t: Test, pod: PodNetwork, ip: string, port: number): Promise<void> {
  const fd = runInNetns(pod.netnsFd ?? -1, () => {
    const made = openTcpSocket(familyOf(ip));
    bindSocket(made, { ip, port });
    listenSocket(made, 16);
    return made;
  });
  const server = createServer(socket => socket.end(`${port} to ${socket.remoteAddress}`));
  server.listen({ fd });
  await once(server, 'listening');
  t.teardown(() => server.close());
}

async function dial(pod: PodNetwork, ip: string, port: number): Promise<string> {
  const socket = new Socket({ fd: runInNetns(pod.netnsFd ?? -1, () => openTcpSocket(familyOf(ip))) });
  try {
    socket.connect({ host: ip, port });
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    return text;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  } finally {
    socket.destroy();
  }
}

test('pods reach each other, the control plane and services', { skip }, async t => {
  const network = new ClusterNetwork('amtest1');
  t.teardown(() => network.close());
  network.up(['node-a', 'node-b']);
  const [client, near, far] = [network.addPod('node-a'), network.addPod('node-a'), network.addPod('node-b')];
  for (const pod of [client, near, far]) {
    await serve(t, pod, pod.ips[0], 8080);
    await serve(t, pod, ipv6(pod), 8080);
  }
  const [v4, v6] = [client.ips[0], ipv6(client)];
  const rules = [
    { clusterIp: '10.96.0.10', port: 80, endpoints: [{ ip: near.ips[0], port: 8080 }] },
    {
      clusterIp: '10.96.0.12',
      port: 80,
      endpoints: [
        { ip: near.ips[0], port: 8080 },
        { ip: far.ips[0], port: 8080 },
      ],
    },
    { clusterIp: 'fd00:10:96::a', port: 80, endpoints: [{ ip: ipv6(far), port: 8080 }] },
    { clusterIp: '10.96.0.11', port: 80, endpoints: [] },
    { clusterIp: '10.96.0.13', port: 80, endpoints: [{ ip: v4, port: 8080 }] },
  ];
  network.setServices(rules);
  for (const [sentence, ip, port, answer] of [
    ['a pod of the same node over IPv4', near.ips[0], 8080, `8080 to ${v4}`],
    ['a pod of the same node over IPv6', ipv6(near), 8080, `8080 to ${v6}`],
    ['a pod of another node over IPv4, address kept', far.ips[0], 8080, `8080 to ${v4}`],
    ['a pod of another node over IPv6, address kept', ipv6(far), 8080, `8080 to ${v6}`],
    ['a service of the same node, address kept', '10.96.0.10', 80, `8080 to ${v4}`],
    ['a service of two endpoints', '10.96.0.12', 80, `8080 to ${v4}`],
    ['a service over IPv6', 'fd00:10:96::a', 80, `8080 to ${v6}`],
    ['a service without endpoints refuses at once', '10.96.0.11', 80, 'ECONNREFUSED'],
    ['the pod itself through its service', '10.96.0.13', 80, '8080 to 169.254.1.1'],
    ['the control plane answers', '172.18.0.10', 1, 'ECONNREFUSED'],
  ] as const) {
    t.equal(await dial(client, ip, port), answer, sentence);
  }
  network.removePod(far);
  const again = network.addPod('node-b');
  t.not(again.ips[0], far.ips[0], 'an address is not used again at once');
});

test('nothing is left behind', { skip }, async t => {
  const before = openDescriptors();
  const network = new ClusterNetwork('amtest2');
  network.up(['node-a']);
  network.addPod('node-a');
  network.close();
  t.notMatch(runProgram('ip', ['netns', 'list']), /amtest2/);
  t.ok(openDescriptors() <= before + 1, 'but for the thread’s own namespace');
});

function ipv6(pod: PodNetwork): string {
  return pod.ips[1] ?? 'none';
}
