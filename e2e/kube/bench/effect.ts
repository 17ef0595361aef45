import { setTimeout as sleep } from 'node:timers/promises';
import { exec, kubectl, listObjects, startExec } from '../kubectl.ts';
import { authorizationPolicy, inNamespace } from '../objects.ts';
import { MESH_NAMESPACE, nameOf, type TestNamespace } from '../test-namespace.ts';
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

/** Resident memory of the process of this container, MiB, whether or not it shares the process ids of its node. */
const RESIDENT = `
const { readdirSync, readFileSync } = require('fs');
const read = (pid, file) => { try { return readFileSync('/proc/' + pid + '/' + file, 'utf8'); } catch { return ''; } };
const group = read('self', 'cgroup');
const sizes = readdirSync('/proc').filter(pid => /^\\d+$/.test(pid) && pid !== String(process.pid) && read(pid, 'cgroup') === group)
  .map(pid => Number(/^VmRSS:\\s+(\\d+)/m.exec(read(pid, 'status'))?.[1] ?? 0));
console.log(Math.max(...sizes) / 1024);`;

/** MiB that each process of the mesh holds, by pod. */
export async function memory(): Promise<ReadonlyMap<string, number>> {
  const pods = await listObjects(MESH_NAMESPACE, 'pods', 'app.kubernetes.io/part-of=ambient-mesh');
  const sizes = new Map<string, number>();
  for (const name of pods.map(nameOf)) {
    const { stdout } = await exec(MESH_NAMESPACE, name, ['node', '-e', RESIDENT]);
    sizes.set(name, Number(stdout));
  }
  return sizes;
}
