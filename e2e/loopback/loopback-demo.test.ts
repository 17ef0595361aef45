import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { errorMessage } from '#shared/observability/error-message.ts';
import { Playground } from '../../src/playground/playground.ts';
import { CANARY } from '../../src/playground/scenario/canary.ts';
import {
  type Check,
  describeOutcome,
  eventually,
  expect,
  runChecks,
} from '../../src/playground/scenario/check.ts';
import { CTL } from '../../src/playground/scenario/ctl.ts';
import { INTENTIONS_CHECKS } from '../../src/playground/scenario/intentions.ts';
import { LINKERD_CHECKS } from '../../src/playground/scenario/linkerd.ts';
import { LIVE_POLICY } from '../../src/playground/scenario/live-policy.ts';
import { describeFailures, failures, load, request } from '../../src/playground/scenario/load.ts';
import { OUTAGE } from '../../src/playground/scenario/outage.ts';
import { RETRIES } from '../../src/playground/scenario/retries.ts';
import { TRAFFIC } from '../../src/playground/scenario/traffic.ts';

/** The mesh where no network namespace is allowed: addresses of the loopback range, SOCKS5, a ztunnel a pod. */
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const SHOP = 'examples/shop/manifests/00-shop.yaml';
/** A bound for what never comes. What comes is waited for, however long the machine's load makes it take. */
const SETTLE_MS = 120_000;
const LAST_WORDS = /pod shop\/broken is not ready: .*exit status 3[^]*no database here[^]*waited 0.1 s/;
/** All but the rotations, which wait for certificates to grow old. */
const CHECKS: readonly Check[] = [
  ...TRAFFIC,
  ...CANARY,
  ...INTENTIONS_CHECKS,
  ...LINKERD_CHECKS,
  ...LIVE_POLICY,
  ...RETRIES,
  ...CTL,
  ...OUTAGE,
];

const skip = process.platform === 'linux' ? false : 'needs Linux: any address of 127.0.0.0/8 can be bound';

function up(stateDir: string): Promise<Playground> {
  const nodes = ['node-a', 'node-b'];
  return Playground.up({
    stateDir,
    repository: REPOSITORY,
    nodes,
    mode: 'loopback',
    report: () => undefined,
  });
}

/** Command lines of the processes that know of a state directory. */
function processesOf(stateDir: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap(pid => {
      const [environment, commandLine] = ['environ', 'cmdline'].map(file =>
        readOrEmpty(`/proc/${pid}/${file}`),
      );
      return environment?.includes(stateDir) === true ? [commandLine?.replaceAll('\0', ' ') ?? ''] : [];
    });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

test('the scenario on loopback addresses', { skip, timeout: 600_000 }, async t => {
  const stateDir = mkdtempSync('/dev/shm/amb-loop-');
  rmSync(stateDir, { recursive: true });
  const playground = await up(stateDir);
  t.teardown(() => playground.down());
  t.equal(playground.mode, 'loopback');
  await playground.apply(SHOP);
  await playground.settled(SETTLE_MS);

  const lines: string[] = [];
  const outcome = await runChecks(CHECKS, playground, line => void lines.push(line));
  t.same(outcome, { passed: CHECKS.length - 2, failed: 0, skipped: 2 }, lines.join('\n'));
  t.match(describeOutcome(outcome), /^\d+ passed, 0 failed, 2 skipped$/);
  t.match(
    lines.join('\n'),
    /^skip {2}on the wire .*: there is no link between nodes here/m,
    'packets, with the reason',
  );
  t.match(lines.join('\n'), /^skip {2}.* STRICT: .* is not captured here$/m, 'plaintext, with the reason');

  await t.test('two playgrounds share a machine, each with addresses of its own', async t => {
    const other = await up(`${stateDir}-2`);
    t.teardown(() => other.down());
    await other.apply(SHOP);
    await other.settled(SETTLE_MS);
    t.not(other.podIp('shop/orders-0'), playground.podIp('shop/orders-0'));
  });

  await t.test('a pod outside the mesh uses services as before, from its own address', async t => {
    const answer = await request(playground, 'legacy/legacy-0', 'http://orders.shop:8080/whoami');
    t.match(answer, { status: 200, body: new RegExp(`"client":"${playground.podIp('legacy/legacy-0')}"`) });
  });

  await t.test('a pod leaves the mesh and joins it again while it is being called', async t => {
    const capture = async (wanted: string): Promise<void> => {
      const { state, message } = playground.pods().get('shop/echo')?.captureState() ?? {};
      expect(state === wanted, `capture is ${state}: ${message}`);
    };
    playground.applyText(echo('v: one'), 'test');
    await playground.settled(SETTLE_MS);
    await eventually(SETTLE_MS, () => capture('enrolled'));
    const running = load(playground, 'shop/frontend-0', 'http://echo.shop/', {
      seconds: 8,
      close: true,
      concurrency: 2,
      pauseMs: 10,
    });
    playground.applyText(echo('istio.io/dataplane-mode: none'), 'test');
    await eventually(SETTLE_MS, () => capture('not_captured'));
    playground.applyText(echo('v: one'), 'test');
    await eventually(SETTLE_MS, () => capture('enrolled'));
    const report = await running;
    t.ok(report.total > 100, `${report.total} requests`);
    t.equal(failures(report), 0, describeFailures(report));
    t.equal(
      report.lastBody,
      playground.podIp('shop/frontend-0'),
      'with the address of the client, in the mesh and out',
    );
  });

  await t.test('what does not become ready is named, with its last words', async t => {
    const manifest = `${stateDir}-broken.yaml`;
    t.teardown(() => rmSync(manifest));
    writeFileSync(manifest, pod('broken', 'console.error("no database here"); process.exit(3)'));
    await playground.apply(manifest);
    // It is asked again until the deadline falls between two runs of the program: how long one takes is the machine's affair.
    await eventually(SETTLE_MS, async () => {
      const said = await playground.settled(100).then(() => 'settled', errorMessage);
      expect(LAST_WORDS.test(said), said);
    });
    await playground.remove(manifest);
    await eventually(SETTLE_MS, async () =>
      expect(!playground.proxies.includes('ztunnel-shop-broken'), 'its ztunnel has not gone with it'),
    );
  });

  await playground.down();
  t.notOk(existsSync(stateDir), 'its directory is gone');
  await eventually(SETTLE_MS, async () => {
    const left = processesOf(stateDir);
    expect(left.length === 0, left.join('\n'));
  });
});

function echo(labels: string): string {
  const program = `require('node:http').createServer((q, r) => r.end(q.socket.remoteAddress)).listen(8080, '::')`;
  return `${pod('echo', program).replace('shop }', `shop, labels: { app: echo, ${labels} } }`)}
---
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: shop }
spec: { selector: { app: echo }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
`;
}

function pod(name: string, program: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop }
spec:
  containers: [{ name: it, command: [node, -e, ${JSON.stringify(program)}], ports: [{ containerPort: 8080 }] }]
`;
}
