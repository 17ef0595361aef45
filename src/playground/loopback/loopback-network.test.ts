import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { LoopbackNetwork } from './loopback-network.ts';
import { chooseRange, parseUsedOctets } from './loopback-range.ts';
import { parsePodView } from './pod-view.ts';

test('the range of a playground', t => {
  const used = new Set(
    Array.from({ length: 256 }, (_, i) => i).filter(octet => octet !== 100 && octet !== 101),
  );
  t.same(chooseRange(used), { octet: 100 }, 'is one that nobody uses');
  t.throws(() => chooseRange(new Set([...used, 101])), { message: /no two free networks/ });
  const table = `  sl  local_address rem_address   st
   0: 0301647F:3AA0 00000000:0000 0A 00000000:00000000
   1: 0200000A:0050 0100C87F:C000 01 00000000:00000000`;
  t.same(parseUsedOctets(table), new Set([100, 200]), 'as the kernel tells');
  t.end();
});

test('addresses, and what programs of pods read', t => {
  const directory = mkdtempSync(join(tmpdir(), 'loopback-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'loopback.json');
  const network = new LoopbackNetwork(file, { octet: 100 });
  network.up(['node-a', 'node-b']);
  t.same(network.controlPlane, { ip: '127.100.0.10', netnsFd: undefined });
  t.same(
    network.nodes.map(node => node.ip),
    ['127.100.0.11', '127.100.0.12'],
  );
  const pods = [network.addPod('node-a'), network.addPod('node-b'), network.addPod('node-a')];
  t.same(
    pods.map(pod => pod.ips),
    [['127.100.1.2'], ['127.100.2.2'], ['127.100.1.3']],
  );
  t.throws(() => network.addPod('node-c'), { message: 'no node node-c; nodes: node-a, node-b' });
  t.same(network.serviceAddresses(0), { ipv4: '127.101.0.10', ipv6: undefined });
  t.equal(network.serviceAddresses(300).ipv4, '127.101.1.54');

  const [pod] = pods;
  if (pod === undefined) throw new Error('no pod');
  const view = () => parsePodView(pod.ips[0], '', readFileSync(file, 'utf8'));
  t.equal(view().socks5Port, undefined);
  network.joinMesh(pod, 15080);
  network.setServices([
    { clusterIp: '127.101.0.10', port: 80, endpoints: [{ ip: '127.100.2.2', port: 8080 }] },
  ]);
  t.equal(view().socks5Port, 15080);
  t.same([...view().services], [['127.101.0.10:80', [{ ip: '127.100.2.2', port: 8080 }]]]);
  network.removePod(pod);
  t.equal(view().socks5Port, undefined, 'a pod that is gone is not in the mesh');
  t.end();
});
