import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { BOARDS } from '../../scripts/monitoring/boards.ts';
import { readRules, RULES_FILE } from '../../scripts/monitoring/rules.ts';
import { findProgram } from '../../scripts/monitoring/promtool.ts';
import { Playground } from '../../src/playground/playground.ts';
import { eventually, expect } from '../../src/playground/scenario/check.ts';
import { beBusy, MANIFESTS, OBJECTS, policy } from './busy-mesh.ts';
import { Prometheus, type Target } from './prometheus.ts';

/** Every panel of the boards, against a mesh on loopback addresses that a real Prometheus asks. */
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
/** At least so many scrapes of a second as a rate needs, and until the first of everything has happened. */
const SEEN_MS = 90_000;
const RATE = '15s';

const program = findProgram('prometheus');
function cannot(): string | false {
  if (process.platform !== 'linux') return 'needs Linux: any address of 127.0.0.0/8 can be bound';
  return program === undefined && 'needs prometheus on PATH (Debian: prometheus)';
}

/** Panels that have nothing to show where each pod has a ztunnel of its own and no API server is there. */
const NOT_HERE: ReadonlySet<string> = new Set([
  // Node agents capture pods, and keep the CNI plugin.
  'Pods captured',
  'Pods not captured',
  'CNI plugin',
  // Of the API server.
  'Failed lists and watches',
  // No pod comes to its bound; that one who does is counted so, `ztunnel/bounds.kernel.test.ts` sees.
  'Refused for want of a place',
]);

/** As Grafana asks, with everything chosen. */
function asked(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', RATE)
    .replaceAll('$reporter', 'waypoint')
    .replaceAll(/\$\w+/g, '.*');
}

/** What stands for nothing where there is nothing. */
const OR_ZERO = ' or vector(0)';

/** What is 0 where all is well has no series here. */
const IS_ZERO: ReadonlySet<string> = new Set(['Not ready', 'Without controller', 'Proxies behind']);

const QUERIES = BOARDS.flatMap(board =>
  board.rows.flatMap(row =>
    row.panels.flatMap(panel => panel.queries.map(({ expr }) => ({ board, panel: panel.title, expr }))),
  ),
);

function targetsOf(mesh: Playground): Target[] {
  return mesh.proxies.map(proxy => {
    const environment = readFileSync(`/proc/${mesh.pidOf(proxy)}/environ`, 'utf8').split('\0');
    const address = environment.find(line => line.startsWith('STATS_ADDR='))?.slice('STATS_ADDR='.length);
    if (address === undefined) throw new Error(`${proxy} has no STATS_ADDR`);
    const app = proxy.startsWith('ztunnel') ? 'ztunnel' : proxy.replace(/-.*/, '');
    return { address, labels: { app, pod: proxy, namespace: 'ambient-system' } };
  });
}

test('every panel of every board shows something, and every rule can be evaluated', {
  skip: cannot(),
  timeout: 240_000,
}, async t => {
  const root = mkdtempSync('/dev/shm/amb-boards-');
  t.teardown(() => rmSync(root, { recursive: true }));
  const mesh = await Playground.up({
    stateDir: join(root, 'mesh'),
    repository: REPOSITORY,
    nodes: ['node-a', 'node-b'],
    mode: 'loopback',
    report: () => undefined,
  });
  t.teardown(() => mesh.down());
  for (const manifest of MANIFESTS) await mesh.apply(manifest);
  mesh.applyText(OBJECTS, 'test');
  mesh.applyText(policy(0), 'test');
  await mesh.settled();
  const directory = join(root, 'prometheus');
  mkdirSync(directory);
  const prometheus = await Prometheus.start(program ?? '', directory, targetsOf(mesh), [
    join(REPOSITORY, RULES_FILE),
  ]);
  t.teardown(() => prometheus.stop());
  const busy = beBusy(mesh);
  t.teardown(() => busy.stop());
  let changes = 0;
  let left = QUERIES.filter(({ panel }) => !NOT_HERE.has(panel) && !IS_ZERO.has(panel));
  t.ok(left.length > 100, `${left.length} queries`);
  try {
    await eventually(SEEN_MS, async () => {
      mesh.applyText(policy(++changes), 'test');
      const empty = await Promise.all(left.map(async ({ expr }) => isEmpty(prometheus, expr)));
      left = left.filter((_, i) => empty[i]);
      expect(left.length === 0, 'not all seen');
    });
  } catch {
    // What is left is told below.
  }
  await busy.stop();
  t.same(
    left.map(({ board, expr, panel }) => `${board.uid}, ${panel}: ${asked(expr)}`),
    [],
  );
  const evaluated = await prometheus.rules();
  t.same(
    evaluated.map(rule => rule.name).sort(),
    readRules()
      .map(rule => rule.name)
      .sort(),
  );
  t.same(
    evaluated.filter(rule => rule.error !== ''),
    [],
  );
  for (const { expr, panel } of QUERIES.filter(query => query.expr.includes(OR_ZERO)))
    t.not((await prometheus.query(asked(expr))).length, 0, `${panel}: 0 is shown as 0`);
});

async function isEmpty(prometheus: Prometheus, expr: string): Promise<boolean> {
  const samples = await prometheus.query(asked(expr).replaceAll(OR_ZERO, ''));
  return samples.every(({ value }) => Number.isNaN(value));
}
