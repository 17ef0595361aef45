import { test } from 'tap';
import { mesh, service, workload } from '#shared/testing/topology.ts';
import { mayAsk } from './may-ask.ts';

const source = workload('client', { addresses: ['10.0.0.1'] });
const VIEW = mesh({ services: [service('kube-dns', { namespace: 'kube-system', vip: '10.96.0.10' })] });
const ONLY = { outboundTrafficPolicy: 'registry_only' } as const;
const ANY = { outboundTrafficPolicy: 'allow_any' } as const;

for (const [sentence, transport, ip, settings, expected] of [
  ['over TCP a name server that is known', 'tcp', '10.96.0.10', ONLY, true],
  ['over TCP one that nobody declared', 'tcp', '203.0.113.9', ONLY, false],
  ['the same where everybody may be reached', 'tcp', '203.0.113.9', ANY, true],
  ['the same over UDP, for which nothing is held', 'udp', '203.0.113.9', ONLY, true],
] as const) {
  test(`${sentence} is ${expected ? 'asked' : 'not asked'}`, async t => {
    t.equal(mayAsk(VIEW, source, transport, { ip, port: 53 }, settings), expected);
  });
}
