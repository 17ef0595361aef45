import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { kubectl, startExec } from '../kubectl.ts';
import { authorizationPolicy, inNamespace, pod } from '../objects.ts';
import type { TestNamespace } from '../test-namespace.ts';
import { watchWire } from '../wire.ts';

/** A request every 10 ms from within the pod, each told with the wall clock of this machine: all pods share it. */
const PROBE = `
const { request } = require('http');
const end = Date.now() + Number(process.argv[1]) * 1000;
(function next() {
  const at = Date.now();
  if (at > end) return;
  const again = ok => { console.log(at, Date.now(), ok); setTimeout(next, 10); };
  const r = request('http://server/', { timeout: 2000, agent: false }, a => { a.resume(); a.on('end', () => again(1)); a.on('error', () => again(0)); });
  r.on('timeout', () => r.destroy(new Error('timeout'))); r.on('error', () => again(0)); r.end();
})();`;

interface Probe {
  readonly startMs: number;
  readonly endMs: number;
  readonly ok: boolean;
}

function probes(text: string): Probe[] {
  return text
    .trim()
    .split('\n')
    .map(line => {
      const [start, end, ok] = line.split(' ');
      return { startMs: Number(start), endMs: Number(end), ok: ok === '1' };
    });
}

export interface Effect {
  /** From the start of the kubectl command. */
  readonly tookMs: number;
  readonly kubectlMs: number;
  /** Requests that failed in the switch. */
  readonly failed: number;
}

async function timed(
  action: () => Promise<unknown>,
): Promise<{ readonly startMs: number; readonly kubectlMs: number }> {
  const startMs = Date.now();
  await action();
  return { startMs, kubectlMs: Date.now() - startMs };
}

/** DENY → first refusal, and its removal → first request that is allowed. */
export async function policyEffect(
  ns: TestNamespace,
): Promise<{ readonly deny: Effect; readonly allow: Effect }> {
  const running = startExec(ns.name, 'client', ['node', '-e', PROBE, '8']);
  await sleep(1_500);
  const policy = inNamespace(ns.name, authorizationPolicy('deny', { action: 'DENY', rules: [{}] }, 'server'));
  const denied = await timed(() => kubectl(['apply', '-f', '-'], { input: JSON.stringify(policy) }));
  await sleep(2_000);
  const allowed = await timed(() => ns.delete('authorizationpolicy', 'deny'));
  const all = probes((await running.done).stdout);
  const firstRefused = all.find(p => p.startMs > denied.startMs && !p.ok);
  const firstAllowed = all.find(p => p.startMs > allowed.startMs && p.ok);
  return {
    deny: { tookMs: (firstRefused?.endMs ?? NaN) - denied.startMs, kubectlMs: denied.kubectlMs, failed: 0 },
    allow: {
      tookMs: (firstAllowed?.endMs ?? NaN) - allowed.startMs,
      kubectlMs: allowed.kubectlMs,
      failed: 0,
    },
  };
}

/** Label of the namespace → first HBONE packet on the wire of the server's node. */
export async function enrolEffect(ns: TestNamespace, node: string): Promise<Effect> {
  const ip = await ns.podIp('server');
  let marks = { startMs: 0, kubectlMs: 0 };
  let text = '';
  const wire = await watchWire(node, `host ${ip} and tcp dst port 15008`, async () => {
    const running = startExec(ns.name, 'client', ['node', '-e', PROBE, '5']);
    await sleep(1_500);
    marks = await timed(() => ns.setMode('ambient'));
    text = (await running.done).stdout;
  });
  return {
    tookMs: (wire.firstPacketMs ?? NaN) - marks.startMs,
    kubectlMs: marks.kubectlMs,
    failed: probes(text).filter(p => !p.ok).length,
  };
}

/** A request as soon as the program runs, again and again until one is answered. */
const FIRST_REQUEST = `
const { request } = require('http');
const started = Date.now();
(function next() {
  const again = () => setTimeout(next, 2);
  const r = request('http://server/', { timeout: 2000, agent: false }, a => { a.resume(); a.on('end', () => a.statusCode === 200 ? console.log(Date.now() - started) : again()); });
  r.on('timeout', () => r.destroy(new Error('timeout'))); r.on('error', again); r.end();
})();`;
const FIRST_DEADLINE_MS = 30_000;

/** Start of a new pod's program → its first answer, ms. */
export async function firstRequestEffect(ns: TestNamespace, round: number): Promise<number> {
  const name = `first-${round}`;
  await ns.apply(pod(name, { command: ['node', '-e', FIRST_REQUEST], spec: { restartPolicy: 'Never' } }));
  let text = '';
  await eventually(`${name} has an answer`, FIRST_DEADLINE_MS, async () => {
    text = await kubectl(['logs', '-n', ns.name, name]);
    return text.trim() === '' ? 'not yet' : true;
  });
  return Number(text);
}
