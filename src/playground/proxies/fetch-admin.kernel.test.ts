import { test } from 'tap';
import { cannotMakeNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { fetchInNetns } from './fetch-admin.ts';

const skip = cannotMakeNetns();

test('a server in a network namespace that accepts and says nothing is given up', { skip }, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const { ipv4: ip } = lab.pod;
  await lab.pod.listen({ ip, port: 8080 }, () => undefined);
  await t.rejects(fetchInNetns(lab.client.netns.fd, ip, 8080, '/healthz/ready', 50), {
    message: /no answer within 0\.05 s/,
  });
});
