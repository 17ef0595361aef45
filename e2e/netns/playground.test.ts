import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { runProgram } from '../../src/playground/network/run-program.ts';
import { cleanUp, Playground } from '../../src/playground/playground.ts';
import { waitUntil } from '../../src/playground/process/mesh-process.ts';
import { type Check, eventually, runChecks } from '../../src/playground/scenario/check.ts';
import { load, request } from '../../src/playground/scenario/load.ts';
import { LIVE_POLICY } from '../../src/playground/scenario/live-policy.ts';
import { TRAFFIC } from '../../src/playground/scenario/traffic.ts';

const skip = cannotMakeNetns();
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const SHOP = 'examples/shop/manifests/00-shop.yaml';
/** A bound for what never comes. What comes is waited for, however long the machine's load makes it take. */
const SETTLE_MS = 120_000;

function options(stateDir: string) {
  return { stateDir, repository: REPOSITORY, nodes: ['node-a', 'node-b'], report: () => undefined };
}

/** An HTTP server that answers with the client's address, and a service for it that has an IPv6 address too. */
function echoPod(name: string, labels: string): string {
  const program = `require('node:http').createServer((q, r) => r.end(q.socket.remoteAddress)).listen(8080, '::')`;
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name}, ${labels} } }
spec:
  nodeName: node-b
  containers: [{ name: echo, command: [node, -e, ${JSON.stringify(program)}], ports: [{ containerPort: 8080 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec:
  ipFamilies: [IPv6]
  selector: { app: ${name} }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
`;
}

test('the mesh in network namespaces', { skip, timeout: 600_000 }, async t => {
  const stateDir = mkdtempSync('/dev/shm/amb-e2e-');
  rmSync(stateDir, { recursive: true });
  const playground = await Playground.up(options(stateDir));
  t.teardown(() => playground.down());
  await playground.apply(SHOP);
  await playground.settled(SETTLE_MS);
  await t.rejects(
    Playground.up(options(stateDir)),
    { message: /a playground is running already \(process \d+/ },
    'a second one is refused',
  );

  const shortChecks: readonly Check[] = [...TRAFFIC, ...LIVE_POLICY];
  const lines: string[] = [];
  const outcome = await runChecks(shortChecks, playground, line => void lines.push(line));
  t.same(outcome, { passed: shortChecks.length, failed: 0, skipped: 0 }, lines.join('\n'));

  await t.test('IPv6 through the mesh, with the address of the client kept', async t => {
    playground.applyText(echoPod('echo', 'v: one'), 'test');
    await playground.settled(SETTLE_MS);
    const expected = playground.pods().get('shop/frontend-0')?.network.ips[1];
    const answer = await eventually(SETTLE_MS, () =>
      ok(request(playground, 'shop/frontend-0', 'http://echo.shop/')),
    );
    t.equal(answer.body, expected);
    const own = await request(playground, 'shop/echo', 'http://echo.shop/');
    t.equal(own.status, 200, 'a pod reaches itself through its own service');
  });

  await t.test('a pod outside the mesh uses services as before', async t => {
    const answer = await request(playground, 'legacy/legacy-0', 'http://orders.shop:8080/whoami');
    t.match(answer, { status: 200, body: new RegExp(`"client":"${playground.podIp('legacy/legacy-0')}"`) });
  });

  await t.test('a pod leaves the mesh and joins it again while it is being called', async t => {
    const running = load(playground, 'shop/frontend-0', 'http://echo.shop/', {
      seconds: 6,
      close: true,
      concurrency: 2,
      pauseMs: 10,
    });
    const captured = (): string | undefined => playground.pods().get('shop/echo')?.captureState().state;
    playground.applyText(echoPod('echo', 'istio.io/dataplane-mode: none'), 'test');
    await waitUntil(
      systemClock,
      SETTLE_MS,
      () => captured() === 'not_captured',
      () => `capture is ${captured()}`,
    );
    playground.applyText(echoPod('echo', 'v: one'), 'test');
    await waitUntil(
      systemClock,
      SETTLE_MS,
      () => captured() === 'enrolled',
      () => `capture is ${captured()}`,
    );
    const report = await running;
    const failed = report.total - (report.byStatus['200'] ?? 0);
    t.ok(report.total > 100, `${report.total} requests`);
    t.equal(failed, 0, `no request failed: ${JSON.stringify(report)}`);
  });

  await t.test('a pod that is replaced is found at its new address', async t => {
    const before = playground.podIp('shop/echo');
    playground.applyText(
      echoPod('echo', 'v: one').replace('containers: [{', 'containers: [{ env: [{ name: A, value: b }],'),
      'test',
    );
    await waitUntil(
      systemClock,
      SETTLE_MS,
      () => (playground.pods().get('shop/echo')?.network.ips[0] ?? before) !== before,
      () => 'the pod is not replaced',
    );
    await playground.settled(SETTLE_MS);
    const answer = await eventually(SETTLE_MS, () =>
      ok(request(playground, 'shop/frontend-0', 'http://echo.shop/')),
    );
    t.equal(answer.status, 200);
  });

  await t.test('lost capture rules are repaired, and the log says so', async t => {
    const netnsFd = playground.pods().get('shop/frontend-0')?.network.netnsFd ?? -1;
    runProgram('nft', ['flush', 'ruleset'], { netnsFd });
    await waitUntil(
      systemClock,
      SETTLE_MS,
      () => runProgram('nft', ['list', 'ruleset'], { netnsFd }).includes('redirect to :15001'),
      () => 'not repaired',
    );
    const said = (): boolean =>
      /capture repaired.*table inet ambient_mesh was missing/.test(playground.log('ztunnel-node-a'));
    await waitUntil(systemClock, SETTLE_MS, said, () => 'the log does not say so');
    t.pass('repaired');
  });

  const namespaces = new RegExp(readPrefix(stateDir));
  t.match(runProgram('ip', ['netns', 'list']), namespaces);
  await playground.down();
  t.notMatch(runProgram('ip', ['netns', 'list']), namespaces, 'no namespace is left behind');
  t.throws(() => readFileSync(stateDir), { code: 'ENOENT' }, 'and no state');
});

test('a playground that is killed takes its programs with it, and the next one cleans up', {
  skip,
  timeout: 300_000,
}, async t => {
  const stateDir = mkdtempSync('/dev/shm/amb-e2e-');
  rmSync(stateDir, { recursive: true });
  t.teardown(() => cleanUp(stateDir));
  const script = `
    import { Playground } from '${new URL('../../src/playground/playground.ts', import.meta.url).href}';
    await Playground.up({ stateDir: '${stateDir}', repository: '${REPOSITORY}', nodes: ['node-a'], report: () => undefined });
    console.log('up');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await new Promise<string>(resolve => {
    child.stdout.once('data', chunk => resolve(String(chunk)));
    child.once('exit', code => resolve(`exit status ${code}`));
  });
  t.equal(said, 'up\n');
  const prefix = readPrefix(stateDir);
  const processes = (): string =>
    runProgram('ip', ['netns', 'pids', `${prefix}-node-1`]) +
    runProgram('ip', ['netns', 'pids', `${prefix}-control`]);
  t.not(processes(), '');
  child.kill('SIGKILL');
  await waitUntil(
    systemClock,
    SETTLE_MS,
    () => processes() === '',
    () => `still there: ${processes()}`,
  );
  cleanUp(stateDir);
  t.notMatch(runProgram('ip', ['netns', 'list']), new RegExp(prefix));
});

async function ok(answering: ReturnType<typeof request>): ReturnType<typeof request> {
  const answer = await answering;
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.error} ${answer.body}`);
  return answer;
}

/** What the namespaces of a running playground are called. */
function readPrefix(stateDir: string): string {
  return /"prefix":"(am[0-9a-f]{6})"/.exec(readFileSync(`${stateDir}/instance.json`, 'utf8'))?.[1] ?? 'none';
}
