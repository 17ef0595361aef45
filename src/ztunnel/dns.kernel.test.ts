import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { isJsonObject } from '#shared/config/json.ts';
import { cannotMakeNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { service, workload } from '#shared/testing/topology.ts';
import { askFrom } from './dns/testing/datagrams.ts';
import { decodeMessage, encodeQuery } from './dns/testing/messages.ts';
import { NameServer } from './dns/testing/name-server.ts';
import { nodeEnvironment, podFile } from './testing/captured-node.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const skip = cannotMakeNetns();
const SERVER = { ip: '10.77.0.1', port: 53 };

/** A captured pod, a name server outside of the mesh, and ztunnels of the node. */
async function setUp(t: Test) {
  const lab = new NetnsLab();
  const vip = { network: '', ip: '240.240.0.1', prefixLength: undefined };
  const state = stateDirectory({
    workloads: [workload('client', { addresses: [lab.pod.ipv4, lab.pod.ipv6] })],
    services: [service('api', { hostname: 'api.test', canonical: false, addresses: [vip] })],
  });
  const pods = join(state.path, 'pods');
  mkdirSync(pods);
  const write = (change: object = {}): void => {
    const pod: unknown = JSON.parse(podFile('client', lab.pod));
    if (!isJsonObject(pod)) throw new Error('no pod');
    writeFileSync(join(pods, 'uid-client.json'), JSON.stringify({ ...pod, ...change }));
  };
  write();
  const server = await NameServer.listen(lab.client, SERVER.ip);
  const started: ZtunnelProcess[] = [];
  const start = async (name: string, dnsCapture = 'true'): Promise<ZtunnelProcess> => {
    const z = new ZtunnelProcess({
      ...nodeEnvironment(state.path, pods),
      ADMIN_UNIX_SOCKET: join(state.path, `${name}.sock`),
      CONNECTION_TERMINATION_DEADLINE: '5s',
      DNS_CAPTURE: dnsCapture,
    });
    started.push(z);
    await z.says(/\tready\b/);
    return z;
  };
  t.teardown(async () => {
    await Promise.all(started.map(z => z.kill()));
    server.close();
    lab.close();
    state.remove();
  });
  const ask = async (name: string): Promise<string | undefined> =>
    decodeMessage(await askFrom(lab.pod, encodeQuery({ name }), SERVER)).answers[0]?.data;
  /** Of the known name, until it is answered by the mesh, or by others. */
  const becomes = async (expected: string): Promise<void> => {
    while ((await ask('api.test').catch(() => '')) !== expected) await new Promise(r => setImmediate(r));
  };
  return { ask, becomes, start, write };
}

test('a ztunnel answers, is killed, and started again', { skip }, async t => {
  const { ask, start } = await setUp(t);
  const first = await start('first');
  t.equal(await ask('api.test'), '240.240.0.1');
  t.equal(await ask('far.example'), '192.0.2.1');
  t.match(await first.admin('/debug/pods'), { pods: [{ name: 'client', state: 'enrolled', dns: true }] });
  await first.kill();
  await t.rejects(ask('api.test'), { code: 'ECONNREFUSED' }, 'an error that passes, not "no such name"');
  await t.rejects(ask('far.example'), { code: 'ECONNREFUSED' });
  await start('second');
  t.equal(await ask('api.test'), '240.240.0.1', 'served at once, without the controller');
  t.equal(await ask('far.example'), '192.0.2.1');
});

test('a pod says for itself, while it runs', { skip }, async t => {
  const { ask, becomes, start, write } = await setUp(t);
  await start('only', 'false');
  t.equal(await ask('api.test'), '192.0.2.1', 'off: the name server is asked');
  write({ dnsCapture: true });
  await becomes('240.240.0.1');
  write({ dnsCapture: false });
  await becomes('192.0.2.1');
  write();
  t.equal(await ask('far.example'), '192.0.2.1');
});

test('one ztunnel takes over from another: no query is lost', { skip }, async t => {
  const { ask, start } = await setUp(t);
  const old = await start('old');
  const wrong: string[] = [];
  let answered = 0;
  let isOver = false;
  const client = async (name: string, expected: string): Promise<void> => {
    while (!isOver) {
      const got = await ask(name).catch((error: Error) => error.message);
      if (got === expected) answered++;
      else wrong.push(`${name}: ${got}`);
    }
  };
  const clients = [client('api.test', '240.240.0.1'), client('far.example', '192.0.2.1')];
  const more = async (count: number): Promise<void> => {
    const until = answered + count;
    while (answered < until && wrong.length === 0) await new Promise(resolve => setImmediate(resolve));
  };
  await more(100);
  await start('young');
  await more(100);
  t.equal(await old.kill('SIGTERM'), 0);
  await more(100);
  isOver = true;
  await Promise.all(clients);
  t.same(wrong, [], `${answered} queries`);
});
