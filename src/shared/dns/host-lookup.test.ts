import { test } from 'tap';
import { DnsServer } from '../testing/dns-server.ts';
import { systemLookup } from './host-lookup.ts';

test('addresses and their time come from the name server; what it does not know, from the system', async t => {
  const server = await DnsServer.listen('127.0.0.1', 0, 7);
  t.teardown(() => server.close());
  const lookup = systemLookup([`127.0.0.1:${server.port}`]);
  server.answers.set('api.vendor.test', ['10.0.0.2', '10.0.0.1']);
  t.same(await lookup('api.vendor.test'), { ips: ['10.0.0.2', '10.0.0.1'], ttlMs: 7_000 });
  t.same(server.asked, ['api.vendor.test'], 'IPv6 is asked for where there is no IPv4 alone');
  t.same(await lookup('localhost'), { ips: ['127.0.0.1'], ttlMs: undefined }, 'the hosts file');
  server.failing = true;
  await t.rejects(lookup('api.vendor.test'));
});
