import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { Playground } from '../../src/playground/playground.ts';
import { type Footprints, readFootprint, whatIsLeft } from './footprint.ts';
import { type ChurnReport, parseChurnReport, total } from './report.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const SHOP = 'examples/shop/manifests/00-shop.yaml';
const CHURN = fileURLToPath(new URL('churn.ts', import.meta.url));
const CLIENT = 'shop/frontend-0';
/** The first through both ztunnels, the others through the waypoint too. */
const TARGETS = ['l4=orders.shop:8080', 'l7=payments.shop:8080', 'l7=fraud.shop:8080'];
const WORKERS = 32;
const GRACE_MS = 60_000;
/** Certificates are renewed twice a minute: within this every pooled session is one of the newest, or gone. */
const REST_MS = 150_000;
const REST_STEP_MS = 1_000;
const MINUTE_S = 60;
const ADMIN_TRIES = 6;

export interface SoakOptions {
  readonly stateDir: string;
  /** Churn that makes what a process makes once, and how long the rest goes on. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly report: (line: string) => void;
}

export interface SoakResult {
  readonly connections: number;
  /** It ends with the first round in which something went wrong. */
  readonly seconds: number;
  /** What went wrong; empty: nothing. */
  readonly faults: readonly string[];
}

/** Connections come and go through two ztunnels and a waypoint; afterwards everything must be as it was. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { stateDir, report, seconds, warmUpSeconds } = options;
  const nodes = ['node-a', 'node-b'];
  const mesh = await Playground.up({ stateDir, repository: REPOSITORY, nodes, report });
  try {
    await mesh.apply(SHOP);
    await mesh.settled();
    const warmUp = await churn(mesh, warmUpSeconds);
    const before = await atRest(mesh, undefined);
    report(`at first: ${describe(before)}`);
    const rounds = await churnFor(mesh, seconds, report);
    const after = await atRest(mesh, before);
    report(`at last: ${describe(after)}`);
    const faults = [warmUp, ...rounds].flatMap(round => round.faults);
    return {
      connections: rounds.reduce((sum, round) => sum + total(round), 0),
      seconds: Math.min(seconds, rounds.length * MINUTE_S),
      faults: [...faults, ...whatIsLeft(before, after)],
    };
  } finally {
    await mesh.down();
  }
}

/** In rounds of a minute, each told of, until one goes wrong. */
async function churnFor(
  mesh: Playground,
  seconds: number,
  report: (line: string) => void,
): Promise<readonly ChurnReport[]> {
  const rounds: ChurnReport[] = [];
  for (let left = seconds; left > 0; left -= MINUTE_S) {
    const round = await churn(mesh, Math.min(left, MINUTE_S));
    rounds.push(round);
    report(
      `${total(round)} connections, ${JSON.stringify(round.counts)}; ${describe(await footprints(mesh))}`,
    );
    if (round.faults.length > 0) return rounds;
  }
  return rounds;
}

async function churn(mesh: Playground, seconds: number): Promise<ChurnReport> {
  const argv = ['node', CHURN, String(seconds), String(WORKERS), ...TARGETS];
  const { stdout, stderr } = await mesh.exec(CLIENT, argv, seconds * 1000 + GRACE_MS);
  return parseChurnReport(stdout === '' ? stderr : stdout);
}

/** Waits until nothing is under way any more, and nothing is left that `before` did not have: for a bounded time. */
async function atRest(mesh: Playground, before: Footprints | undefined): Promise<Footprints> {
  for (let waitedMs = 0; ; waitedMs += REST_STEP_MS) {
    const now = await footprints(mesh);
    const isDone = whatIsLeft(before ?? now, now).length === 0;
    if (isDone || waitedMs >= REST_MS) return now;
    await sleep(REST_STEP_MS);
  }
}

async function footprints(mesh: Playground): Promise<Footprints> {
  const proxies = mesh.proxies.filter(name => name !== 'controller');
  const found = await Promise.all(
    proxies.map(async name => {
      const dump = await fetchPatiently(mesh, name);
      return [name, readFootprint(mesh.pidOf(name), dump)] as const;
    }),
  );
  return new Map(found);
}

/** A machine that is starved elsewhere may be too slow for one answer; a proxy that is stuck is too slow for all. */
async function fetchPatiently(mesh: Playground, proxy: string): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      return await mesh.fetchAdmin(proxy, '/debug/connections');
    } catch (error) {
      if (tries === ADMIN_TRIES) throw error;
    }
  }
}

function describe(all: Footprints): string {
  return [...all]
    .map(([name, { descriptors, live, pooled, residentMb }]) => {
      return `${name} ${residentMb.toFixed(0)} MB, ${descriptors} descriptors, ${live} live, ${pooled} pooled`;
    })
    .join('; ');
}
