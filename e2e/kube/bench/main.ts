import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { median } from '../../bench/result.ts';
import { ensureGatewayApi, install } from '../installation.ts';
import { kubectl } from '../kubectl.ts';
import { loadReport } from '../load-report.ts';
import { echoWorkload, pod, service } from '../objects.ts';
import { makeNamespace, nodeNames, type TestNamespace } from '../test-namespace.ts';
import { enrolEffect, policyEffect } from './effect.ts';
import { memory, showMemory } from './memory.ts';
import { benchScale } from './scale.ts';
import { FIGURES, makeSide, type Measured, type SideName } from './side.ts';

/**
 * The cluster of KUBECONFIG without a mesh, in it, and through a waypoint, in turn, as shares of no mesh.
 *
 *   npm run bench -- cluster [--rounds 3] [--seconds 5] [--no-waypoint] [--set ztunnel.env.CONGESTION_CONTROL=cubic]
 *   npm run bench -- cluster --scale     memory, and time to effect, with 10, 500 and 2,000 workloads
 */
const OUT = 'dist-image/bench-cluster.json';

/** @returns whether every share is at least the incumbent's. */
export async function benchCluster(argv: readonly string[], log: (line: string) => void): Promise<boolean> {
  const { values } = parseArgs({
    args: [...argv],
    allowNegative: true,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      waypoint: { type: 'boolean', default: true },
      scale: { type: 'boolean', default: false },
      set: { type: 'string', multiple: true, default: [] },
    },
  });
  if (values.scale) {
    await benchScale(log);
    return true;
  }
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  const gatewayApi = await ensureGatewayApi();
  await install(values.set);
  log(`memory before load, MiB: ${showMemory(await memory())}`);
  const sides: SideName[] = values.waypoint && gatewayApi ? ['plain', 'L4', 'waypoint'] : ['plain', 'L4'];
  const namespaces = new Map<SideName, TestNamespace>();
  try {
    const nodes = await nodeNames();
    for (const side of sides) {
      const ns = await makeNamespace(`bench-${side.toLowerCase()}`, { meshed: side !== 'plain' });
      namespaces.set(side, ns);
      await makeSide(ns, side, nodes);
    }
    const samples = await measure(namespaces, rounds, seconds, log);
    const reached = report(samples, sides, log);
    log(`memory after load, MiB: ${showMemory(await memory())}`);
    await effects(namespaces, nodes, log);
    mkdirSync('dist-image', { recursive: true });
    writeFileSync(OUT, `${JSON.stringify(Object.fromEntries(samples), null, 2)}\n`);
    return reached;
  } finally {
    for (const ns of namespaces.values()) await ns.remove();
  }
}

/** Figure and side → what each round gave. */
type Samples = ReadonlyMap<string, readonly Measured[]>;
const key = (figure: string, side: SideName): string => `${figure} / ${side}`;

async function measure(
  namespaces: ReadonlyMap<SideName, TestNamespace>,
  rounds: number,
  seconds: number,
  log: (line: string) => void,
): Promise<Samples> {
  const samples = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    for (const figure of FIGURES) {
      for (const [side, ns] of namespaces) {
        if (figure.onlyL4 === true && side === 'waypoint') continue;
        const measured = await figure.measure(ns, seconds);
        const list = samples.get(key(figure.name, side)) ?? [];
        samples.set(key(figure.name, side), [...list, measured]);
        log(`# round ${round + 1}: ${figure.name}, ${side}: ${measured.value.toFixed(1)} ${figure.unit}`);
      }
    }
  }
  return samples;
}

function report(samples: Samples, sides: readonly SideName[], log: (line: string) => void): boolean {
  const of = (figure: string, side: SideName, field: keyof Measured): number =>
    median((samples.get(key(figure, side)) ?? []).flatMap(m => m[field] ?? []));
  let reached = true;
  log(
    '| | no mesh | mesh, L4 (p50 / p99 ms) | share | incumbent | waypoint (p50 / p99 ms) | share | incumbent |',
  );
  log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const { name, unit, incumbent } of FIGURES) {
    const plain = of(name, 'plain', 'value');
    const cells = [`${name}, ${unit}`, number(plain)];
    for (const side of ['L4', 'waypoint'] as const) {
      const value = of(name, side, 'value');
      if (!sides.includes(side) || Number.isNaN(value)) {
        cells.push('', '', '');
        continue;
      }
      const share = value / plain;
      const theirs = incumbent[side];
      if (theirs !== undefined && share < theirs) reached = false;
      const latency = [of(name, side, 'p50Ms'), of(name, side, 'p99Ms')];
      const text = latency.some(Number.isNaN) ? '' : ` (${latency.map(number).join(' / ')})`;
      cells.push(number(value) + text, share.toFixed(3), theirs === undefined ? '' : String(theirs));
    }
    log(`| ${cells.join(' | ')} |`);
  }
  return reached;
}

async function effects(
  namespaces: ReadonlyMap<SideName, TestNamespace>,
  nodes: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  const [meshed, plain] = [namespaces.get('L4'), namespaces.get('plain')];
  if (meshed === undefined || plain === undefined) return;
  for (let i = 0; i < 3; i++) {
    const { deny, allow } = await policyEffect(meshed);
    log(
      `DENY → first refusal ${deny.tookMs} ms (kubectl ${deny.kubectlMs}); removed → allowed ${allow.tookMs} ms (kubectl ${allow.kubectlMs})`,
    );
  }
  for (let i = 0; i < 3; i++) {
    const { failed, kubectlMs, tookMs } = await enrolEffect(plain, nodes.at(-1) ?? '');
    log(
      `label → first encrypted packet ${tookMs.toFixed(0)} ms (kubectl ${kubectlMs}); ${failed} requests failed`,
    );
    await plain.setMode(undefined);
    await plain.released();
  }
  await rollingRestart(meshed, log);
}

async function rollingRestart(ns: TestNamespace, log: (line: string) => void): Promise<void> {
  const container = {
    readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
    lifecycle: { preStop: { exec: { command: ['sleep', '3'] } } },
  };
  const spec = { terminationGracePeriodSeconds: 10 };
  await ns.apply(service('rolled'), echoWorkload('rolled', { replicas: 2, container, spec }), pod('client2'));
  await ns.ready();
  await ns.reachable('client2', 'http://rolled/');
  const load = ns.load('client2', '--seconds=20', '--rate=500', 'http://rolled/');
  await kubectl(['rollout', 'restart', '-n', ns.name, 'deployment/rolled']);
  const { failed, ok } = loadReport(await load.done);
  log(`rolling restart of a server under 500 requests/s: ${ok} answered, ${failed} failed`);
}

function number(value: number): string {
  return value >= 1_000 ? `${(value / 1_000).toFixed(1)}k` : value.toFixed(value < 10 ? 2 : 1);
}
