import { exec, listObjects } from '../kubectl.ts';
import { MESH_NAMESPACE, nameOf } from '../test-namespace.ts';

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

export function showMemory(sizes: ReadonlyMap<string, number>): string {
  return [...sizes].map(([name, mib]) => `${name} ${mib.toFixed(0)}`).join(', ');
}
