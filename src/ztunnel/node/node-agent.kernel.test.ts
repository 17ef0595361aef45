import { symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { constants } from 'node:os';
import { test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { dupFd } from '#shared/native/socket.ts';
import { SystemCallError } from '#shared/native/system-error.ts';
import { cannotMakeNetns, LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { openDescriptors } from '#shared/testing/open-descriptors.ts';
import { CAPTURE_PORTS } from '../redirect/capture-rules.ts';
import { createNft } from '../redirect/nft.ts';
import { AMBIENT, podIn, setUp, until } from './testing/agent-lab.ts';

const skip = cannotMakeNetns();
test('a pod joins, changes, and leaves', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const { source, workers, clock, agent, rules } = setUp(netns);
  const descriptors = openDescriptors();
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.equal(source.statuses.get('u1')?.state, 'enrolled');
  t.ok(rules(), 'the rules are in the kernel when the status says so');
  const [enrolled] = agent.enrolled();
  t.equal(enrolled?.sockets.outbound.length, 2, 'IPv4 and IPv6');
  t.equal(enrolled?.netnsInode, netns.netns.inode);

  source.pods.set('u1', podIn(netns, { labels: { ...AMBIENT, version: 'v2' } }));
  source.publish();
  await until(() => workers.calls.includes('update orders'));
  t.same(agent.enrolled()[0]?.sockets, enrolled?.sockets, 'new labels keep the sockets');

  netns.exec('nft', ['flush', 'ruleset']);
  await agent.verify();
  t.ok(rules(), 'lost rules are loaded again');

  source.pods.set('u1', podIn(netns, { labels: {} }));
  source.publish();
  await until(() => source.statuses.get('u1')?.message === 'leaving the mesh');
  t.notOk(rules(), 'new traffic goes direct while the pod leaves');
  t.equal(workers.calls.at(-1), 'update orders', 'and the workers still take what is on its way');
  await until(() => clock.pendingTimers > 1);
  clock.advance(1_000);
  await until(() => source.statuses.get('u1')?.message.startsWith('neither') === true);
  t.equal(workers.calls.at(-1), 'leave orders opted_out');
  t.equal(netns.exec('nft', ['list', 'ruleset']), '', 'nothing stays behind');
  t.equal(agent.enrolled().length, 0);
  await agent.stop();
  t.equal(clock.pendingTimers, 0);
  t.ok(openDescriptors() <= descriptors, 'no descriptor stays open');
});

test('one run of nft stands between a pod and the mesh; what it did is looked at afterwards', {
  skip,
}, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const steps: string[] = [];
  const run = createNft(systemClock);
  const { source, agent, rules } = setUp(netns, {
    nft: (netnsFd, args, input) => {
      steps.push(args.includes('list') ? 'list' : 'load');
      return run(netnsFd, args, input);
    },
  });
  const report = source.report.bind(source);
  source.report = (uid, status) => {
    steps.push(status.state);
    return report(uid, status);
  };
  source.pods.set('u1', podIn(netns, { starting: true }));
  await agent.start();
  t.teardown(() => agent.stop());
  t.ok(rules());
  await agent.settled('u1');
  t.same(steps, ['load', 'enrolled', 'list']);
});

test('dns of a pod is captured as the node says, or the pod itself, also while it runs', {
  skip,
}, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const redirected = (): boolean => netns.exec('nft', ['list', 'ruleset']).includes('redirect to :15053');
  for (const captureDns of [false, true]) {
    const { source, dns, clock, agent } = setUp(netns, {
      capture: { ports: CAPTURE_PORTS, probeSources: [], captureDns, sysctlDirectory: '/proc/sys/net' },
    });
    const becomes = async (dnsCapture: boolean | undefined): Promise<boolean> => {
      source.pods.set('u1', podIn(netns, { dnsCapture }));
      source.publish();
      await agent.settled('u1');
      t.equal(agent.pods()[0]?.dns, redirected(), 'as it is told');
      return redirected();
    };
    source.pods.set('u1', podIn(netns));
    await agent.start();
    t.equal(redirected(), captureDns, 'as the node says');
    t.same(dns.calls, captureDns ? ['serve orders 15053'] : [], 'it is served before');
    t.equal(await becomes(!captureDns), !captureDns, 'the pod says otherwise');
    t.equal(await becomes(captureDns), captureDns, 'and the same');
    t.equal(await becomes(undefined), captureDns, 'and nothing');
    const served = dns.calls.filter(call => call.startsWith('serve'));
    t.same(served, ['serve orders 15053'], 'once served it is so until it leaves');
    const handed = agent.handOver();
    clock.advance(250);
    await handed;
    t.equal(dns.calls.at(-1), 'yield');
    await agent.stop();
    t.equal(dns.serves('u1'), true, 'who answers goes on: it is not the end of the pod');
  }
});

test('a pod that cannot be served is told so, and keeps the rules that it has', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const { source, dns, clock, agent, rules } = setUp(netns);
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.teardown(() => agent.stop());
  const serve = dns.serve.bind(dns);
  dns.serve = () => Promise.reject(new SystemCallError('bind', constants.errno.EADDRINUSE, 'bind'));
  source.pods.set('u1', podIn(netns, { dnsCapture: true }));
  source.publish();
  await until(() => source.statuses.get('u1')?.state === 'failed');
  t.equal(source.statuses.get('u1')?.message, 'port 15053 is used by the pod itself; the mesh needs it');
  t.ok(rules());
  dns.serve = serve;
  clock.advance(200);
  await until(() => source.statuses.get('u1')?.state === 'enrolled');
  t.ok(netns.exec('nft', ['list', 'ruleset']).includes('redirect to :15053'));
  source.pods.delete('u1');
  source.publish();
  await until(() => dns.calls.at(-1) === 'leave u1');
  t.notOk(dns.serves('u1'));
});

test('a sandbox restarted at the same path is enrolled anew', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const { source, workers, agent, rules } = setUp(netns);
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.teardown(() => agent.stop());
  const before = agent.enrolled()[0]?.netnsInode;
  netns.recreate();
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  t.notOk(rules(), 'the new namespace has no rules');
  await agent.verify();
  t.ok(rules(), 'until the agent has looked');
  t.not(agent.enrolled()[0]?.netnsInode, before);
  t.same(workers.calls, ['enrol orders', 'leave orders deleted', 'enrol orders']);
});

test('what fails is undone, reported and tried again', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const { source, workers, clock, agent, rules, lines } = setUp(netns);
  workers.failures = 1;
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.teardown(() => agent.stop());
  t.same(source.statuses.get('u1'), { state: 'failed', message: 'no worker is up' });
  t.notOk(rules());
  t.match(lines.join('\n'), /capture of a pod failed.*no worker is up.*retryInMs=200/);
  clock.advance(200);
  await until(() => source.statuses.get('u1')?.state === 'enrolled');
  t.ok(rules());

  source.pods.set('u2', podIn(netns, { uid: 'u2', netnsPath: '/run/netns/none' }));
  source.publish();
  await until(() => source.statuses.get('u2')?.state === 'failed');
  t.match(
    source.statuses.get('u2')?.message,
    /ENOENT.*\/run\/netns\/none/,
    'a namespace that is not there is named',
  );
  source.pods.delete('u2');
  source.publish();
  await until(() => agent.pods().length === 1);
  t.equal(agent.pods()[0]?.pod.uid, 'u1', 'another pod is not disturbed');
});

test('a network namespace that is taken down before the pod is gone is no failure', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const { source, clock, agent, lines } = setUp(netns);
  const netnsPath = join(t.testdir(), 'netns');
  symlinkSync(netns.path, netnsPath);
  source.pods.set('u1', podIn(netns, { netnsPath }));
  await agent.start();
  t.teardown(() => agent.stop());
  t.equal(source.statuses.get('u1')?.state, 'enrolled');
  unlinkSync(netnsPath);
  await agent.verify();
  t.same(source.statuses.get('u1'), { state: 'not_captured', message: 'its network namespace is gone' });
  t.notMatch(lines.join('\n'), /\terror\t/, 'nobody has to look at it');
  symlinkSync(netns.path, netnsPath);
  clock.advance(1_000);
  await until(() => source.statuses.get('u1')?.state === 'enrolled');
  t.equal(agent.enrolled().length, 1, 'a sandbox that is made anew is captured');
});

test('a look that fails leaves a captured pod captured: what is not known is not outside the mesh', {
  skip,
}, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const run = createNft(systemClock);
  let isStarved = false;
  const { source, agent, lines, rules } = setUp(netns, {
    nft: (netnsFd, args, input) =>
      isStarved && args.includes('list')
        ? Promise.reject(new Error('nft: no answer within 5000 ms'))
        : run(netnsFd, args, input),
  });
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.teardown(() => agent.stop());
  await agent.verify();
  isStarved = true;
  netns.exec('nft', ['flush', 'ruleset']);
  await agent.verify();
  t.equal(source.statuses.get('u1')?.state, 'enrolled');
  t.match(lines.join('\n'), /capture not looked at, trying again.*no answer within 5000 ms/);
  isStarved = false;
  await agent.verify();
  t.ok(rules(), 'and is repaired when it can be looked at again');
});

test('a port that the pod itself uses is named', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  await netns.listen({ ip: '0.0.0.0', port: 15006 }, socket => socket.destroy());
  const { source, agent } = setUp(netns);
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.teardown(() => agent.stop());
  t.same(source.statuses.get('u1'), {
    state: 'failed',
    message: 'port 15006 is used by the pod itself; the mesh needs it',
  });
});

test('stopping keeps the rules: a captured pod is refused, not unmeshed', { skip }, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const { source, agent, rules } = setUp(lab.pod);
  source.pods.set('u1', podIn(lab.pod));
  await agent.start();
  const [enrolled] = agent.enrolled();
  t.ok(enrolled);
  await agent.stop();
  t.throws(() => dupFd(enrolled?.netnsFd ?? -1), { code: 'EBADF' }, 'descriptors are closed');
  t.ok(rules());
  await lab.client.listen({ ip: lab.client.ipv4, port: 80 }, socket => socket.end());
  const dial = (): ReturnType<typeof lab.pod.connect> => lab.pod.connect({ ip: lab.client.ipv4, port: 80 });
  await t.rejects(dial(), { code: 'ECONNREFUSED' });

  const failing = setUp(lab.pod);
  failing.workers.failures = 1;
  failing.source.pods.set('u1', podIn(lab.pod));
  await failing.agent.start();
  t.equal(failing.source.statuses.get('u1')?.state, 'failed');
  await t.rejects(dial(), { code: 'ECONNREFUSED' }, 'also when the next ztunnel cannot capture it');
  await failing.agent.stop();

  const next = setUp(lab.pod);
  next.source.pods.set('u1', podIn(lab.pod, { labels: {} }));
  await next.agent.start();
  t.equal(next.source.statuses.get('u1')?.state, 'not_captured');
  t.match(next.lines.join('\n'), /rules of an earlier ztunnel removed/);
  await t.resolves(dial(), 'a pod that left the mesh while no ztunnel ran is free');
  await next.agent.stop();
});

test('a running pod joins when it has a certificate; one that starts is captured in any case', {
  skip,
}, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const { source, workers, clock, agent, rules } = setUp(netns);
  workers.hasIdentity = false;
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.teardown(() => agent.stop());
  t.same(source.statuses.get('u1'), { state: 'failed', message: 'no certificate' });
  t.notOk(rules(), 'its traffic goes on as it was');
  t.match(agent.unmeshed(), [{ pod: { uid: 'u1' } }], 'and the operator can see that');
  workers.hasIdentity = true;
  clock.advance(200);
  await until(() => source.statuses.get('u1')?.state === 'enrolled');
  t.ok(rules());
  t.same(agent.unmeshed(), []);

  const other = new LabNetns('10.77.0.3', 'fd77::3');
  t.teardown(() => other.close());
  other.exec('ip', ['link', 'set', 'lo', 'up']);
  workers.hasIdentity = false;
  source.pods.set('u2', podIn(other, { uid: 'u2', starting: true }));
  source.publish();
  await until(() => source.statuses.get('u2')?.state === 'enrolled');
  t.match((await agent.settled('u2'))?.enrolled?.netnsInode, other.netns.inode);
  t.equal(await agent.settled('u3'), undefined);
});

test('under the rules of an earlier ztunnel a pod is served without waiting for a certificate', {
  skip,
}, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const first = setUp(netns);
  first.source.pods.set('u1', podIn(netns));
  await first.agent.start();
  await first.agent.stop();
  const next = setUp(netns);
  next.workers.hasIdentity = false;
  next.source.pods.set('u1', podIn(netns));
  await next.agent.start();
  t.teardown(() => next.agent.stop());
  t.equal(next.source.statuses.get('u1')?.state, 'enrolled');
});

test('of two ztunnels, the one that is not in charge leaves the rules alone', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  let inCharge = true;
  const old = setUp(netns, { isInCharge: () => inCharge });
  old.source.pods.set('u1', podIn(netns));
  await old.agent.start();
  t.teardown(() => old.agent.stop());

  inCharge = false;
  const young = setUp(netns, { probeSources: () => ['10.90.0.11'] });
  young.source.pods.set('u1', podIn(netns));
  await young.agent.start();
  const probed = (): boolean => netns.exec('nft', ['list', 'ruleset']).includes('10.90.0.11');
  t.ok(probed(), "the successor's rules take the place of the others");
  await old.agent.verify();
  t.ok(probed(), 'and stay');
  old.source.pods.set('u1', podIn(netns, { labels: {} }));
  old.source.publish();
  await old.agent.settled('u1');
  t.ok(probed(), 'also when the pod leaves the mesh: that is for the successor to see to');
  old.source.pods.set('u1', podIn(netns));
  old.source.publish();

  await young.agent.stop();
  inCharge = true;
  await old.agent.reconcile();
  t.notOk(probed(), 'the successor is gone: the rules are those of who is in charge');
  t.ok(old.rules());
});

test('the mesh goes from the node: every pod leaves it, and none joins any more', { skip }, async t => {
  const netns = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  let peersKnow = false;
  const { source, workers, clock, agent, rules } = setUp(netns, { peersKnowItLeft: () => peersKnow });
  source.pods.set('u1', podIn(netns));
  await agent.start();
  t.teardown(() => agent.stop());
  const released = agent.release();
  await until(() => source.statuses.get('u1')?.message === 'leaving the mesh');
  t.notOk(rules(), 'new connections go direct at once');
  await until(() => clock.pendingTimers > 1);
  clock.advance(9_000);
  await until(() => clock.pendingTimers > 1);
  t.notMatch(workers.calls.at(-1), 'leave', 'peers that have not heard are served');
  peersKnow = true;
  clock.advance(50);
  await until(() => clock.pendingTimers > 1);
  clock.advance(1_000);
  await released;
  t.equal(workers.calls.at(-1), 'leave orders opted_out');
  t.equal(netns.exec('nft', ['list', 'ruleset']), '');
  t.match(source.statuses.get('u1')?.message, /being removed from this node/);
  source.pods.set('u2', podIn(netns, { uid: 'u2' }));
  source.publish();
  await agent.settled('u2');
  t.match(source.statuses.get('u2')?.message, /being removed from this node/);
});

test('probes of the node reach the ports of probes; new addresses of the node are taken over', {
  skip,
}, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  let sources = ['10.99.0.1'];
  const { source, agent } = setUp(lab.pod, { probeSources: () => sources });
  for (const port of [8080, 9090])
    await lab.pod.listen({ ip: lab.pod.ipv4, port }, socket => socket.end(`${port}`));
  source.pods.set('u1', podIn(lab.pod, { probePorts: [8080] }));
  await agent.start();
  t.teardown(() => agent.stop());
  const proxy = dupFd(agent.enrolled()[0]?.sockets.inboundPlaintext[0] ?? -1);
  await lab.pod.adopt(proxy, socket => socket.end('the proxy'));
  const answer = async (port: number): Promise<string> => {
    const socket = await lab.client.connect({ ip: lab.pod.ipv4, port });
    return new Promise(resolve => socket.on('data', data => resolve(data.toString())));
  };
  t.equal(await answer(8080), 'the proxy', 'captured');
  sources = [lab.client.ipv4];
  await agent.verify();
  t.equal(await answer(8080), '8080', 'the address of the node reaches the probe');
  t.equal(await answer(9090), 'the proxy', 'and no other port');
});
