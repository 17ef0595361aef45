import { test } from 'tap';
import { mesh, workload } from '#shared/testing/topology.ts';
import { workloadIdentity, type Workload } from '#shared/workload/workload.ts';
import { originalSource } from './original-source.ts';

const client = workload('client', { addresses: ['10.0.0.1'] });
const victim = workload('victim', { addresses: ['10.0.0.2'] });
const written = workload('written', {
  uid: 'c/networking.istio.io/WorkloadEntry/default/written',
  addresses: ['203.0.113.1'],
});
const overPod = workload('over-pod', {
  uid: 'c/networking.istio.io/WorkloadEntry/default/over-pod',
  addresses: ['10.0.0.2'],
});
const NODE = '192.0.2.7';

const ROWS: readonly (readonly [
  sentence: string,
  Workload,
  remote: string,
  forwarded: string,
  found: string,
])[] = [
  ['nobody forwards: its own address', client, '10.0.0.1', '', '10.0.0.1'],
  ['its own address, with the port of the application', client, '10.0.0.1', '10.0.0.1', '10.0.0.1'],
  ['the address of its pod, behind that of its node', client, NODE, '10.0.0.1', '10.0.0.1'],
  ["another pod's address is not believed", client, NODE, '10.0.0.2', NODE],
  ['an address of nobody is not believed', client, NODE, '203.0.113.9', NODE],
  ['an address that its namespace has written down is not believed', written, NODE, '203.0.113.1', NODE],
  ["nor one written down that is another pod's", overPod, NODE, '10.0.0.2', NODE],
];

test('whose address a tunnel comes from', t => {
  const view = mesh({ workloads: [client, victim, written, overPod] });
  for (const [sentence, peer, remote, forwarded, found] of ROWS) {
    const source = originalSource(view, '', {
      peerIdentity: workloadIdentity(peer),
      remote: { ip: remote, port: 1 },
      forwarded: forwarded === '' ? undefined : { ip: forwarded, port: 2 },
    });
    t.equal(source.ip, found, sentence);
  }
  t.end();
});
