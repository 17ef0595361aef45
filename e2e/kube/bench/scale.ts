import { setTimeout as sleep } from 'node:timers/promises';
import { KubeClient } from '#shared/kube/client.ts';
import { defaultConnection } from '#shared/kube/kubeconfig.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { eventually } from '../eventually.ts';
import { install } from '../installation.ts';
import { exec, listObjects } from '../kubectl.ts';
import { MESH_NAMESPACE, makeNamespace, nameOf, nodeNames } from '../test-namespace.ts';
import { firstRequestEffect, policyEffect } from './effect.ts';
import { ManyWorkloads } from './many-workloads.ts';
import { memory, showMemory } from './memory.ts';
import { makeSide } from './side.ts';

const STEPS = [10, 500, 2_000];
const ROUNDS = 3;
/** What was read is let go of, and what is old collected. */
/** Longer than proxies wait before they tidy up after a burst. */
const SETTLE_MS = 45_000;
const KNOWN_DEADLINE_MS = 60_000;
/** How many workloads this proxy has been told of. */
const COUNT = `
fetch('http://127.0.0.1:15000/config_dump').then(a => a.json()).then(dump => console.log(Object.keys(dump.workloads).length));`;

/** Memory, and time to effect, as the mesh grows; the workloads are there for the control plane alone. */
export async function benchScale(log: (line: string) => void): Promise<void> {
  const connection = await defaultConnection(process.env, systemClock);
  const workloads = new ManyWorkloads(new KubeClient(connection, systemClock, 'ambient-mesh-bench'));
  await install();
  const nodes = await nodeNames();
  const ns = await makeNamespace('bench-scale');
  const plain = await makeNamespace('bench-plain', { meshed: false });
  await workloads.start();
  try {
    await makeSide(ns, 'L4', nodes);
    await makeSide(plain, 'plain', nodes);
    for (const count of STEPS) {
      const startedAt = Date.now();
      await workloads.grow(count);
      const madeAt = Date.now();
      await eventually('every ztunnel knows them', KNOWN_DEADLINE_MS, () => areKnown(count));
      log(
        `${count} workloads: made in ${madeAt - startedAt} ms, known everywhere ${Date.now() - madeAt} ms later`,
      );
      await sleep(SETTLE_MS);
      log(`${count} workloads: MiB: ${showMemory(await memory())}`);
    }
    for (let i = 0; i < ROUNDS; i++) {
      const { allow, deny } = await policyEffect(ns);
      log(
        `DENY → first refusal ${deny.tookMs} ms, ${deny.tookMs - deny.kubectlMs} after kubectl was answered; removed → allowed ${allow.tookMs} ms`,
      );
    }
    for (const side of [ns, plain])
      for (let i = 0; i < ROUNDS; i++)
        log(`${side.name}: start of a pod's program → first answer ${await firstRequestEffect(side, i)} ms`);
  } finally {
    await workloads.remove();
    await ns.remove();
    await plain.remove();
  }
}

async function areKnown(count: number): Promise<true | string> {
  const pods = (await listObjects(MESH_NAMESPACE, 'pods', 'app.kubernetes.io/name=ztunnel')).map(nameOf);
  for (const name of pods) {
    const { stdout } = await exec(MESH_NAMESPACE, name, ['node', '-e', COUNT]);
    if (Number(stdout) < count) return `${name} knows ${stdout.trim()}`;
  }
  return true;
}
