import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'tap';
import { nodeAddresses, probeSourcesOf } from './probe-sources.ts';

function at(address: string, internal = false): NetworkInterfaceInfo {
  return { address, netmask: '', mac: '', internal, cidr: null, family: 'IPv4' };
}

test('the addresses probes may come from', async t => {
  t.same(
    probeSourcesOf({
      lo: [at('127.0.0.1', true)],
      eth0: [at('10.90.0.11'), at('fd00::11'), at('fe80::1')],
      cni0: [at('10.91.1.1')],
      again: [at('10.91.1.1')],
      'kube-ipvs0': [at('10.96.0.10')],
      nodelocaldns: [at('169.254.20.10')],
    }),
    ['10.90.0.11', '10.91.1.1', 'fd00::11'],
  );
  t.same(probeSourcesOf({}), []);
});

test('more than a rule each can hold are cut, always the same', async t => {
  const many = Array.from({ length: 50 }, (_, i) => at(`10.0.0.${i}`));
  t.equal(probeSourcesOf({ eth0: many }).length, 32);
  t.same(probeSourcesOf({ eth0: many }), probeSourcesOf({ eth0: many.toReversed() }));
});

test("a node's namespace that cannot be opened is an error that names it", async t => {
  t.throws(() => nodeAddresses('/proc/0/ns/net'), { message: /ENOENT.*\/proc\/0\/ns\/net/ });
});
