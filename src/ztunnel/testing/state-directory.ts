import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type MeshResource,
  resourceAliases,
  resourceName,
  resourceType,
} from '#shared/discovery/mesh-resource.ts';
import { formatSnapshot } from '#shared/discovery/snapshot-file.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';

const MEMORY = '/dev/shm';
/** With the process whose test made it. */
const NAME = /^ztunnel-test-(\d{1,10})-/;

const made = new Set<string>();

/** A state directory in memory, as an earlier process would have left it. One that a test leaves behind fails its file. */
export function stateDirectory(mesh: Partial<MeshDelta>): { path: string; remove: () => void } {
  if (made.size === 0) {
    removeAbandoned();
    process.once('exit', removeForgotten);
  }
  const path = mkdtempSync(join(MEMORY, `ztunnel-test-${process.pid}-`));
  made.add(path);
  writeFileSync(join(path, 'mesh.snapshot'), snapshotOf(mesh));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function snapshotOf(mesh: Partial<MeshDelta>): Buffer {
  const resources: MeshResource[] = [
    ...(mesh.workloads ?? []).map(workload => ({ kind: 'workload' as const, workload })),
    ...(mesh.services ?? []).map(service => ({ kind: 'service' as const, service })),
    ...(mesh.policies ?? []).map(policy => ({ kind: 'policy' as const, policy })),
  ];
  const held = resources.map(resource => ({
    type: resourceType(resource),
    name: resourceName(resource),
    version: '1',
    aliases: resourceAliases(resource),
    resource,
  }));
  return formatSnapshot(held);
}

/** A test that is killed, or gives up in the middle, removes nothing. */
function removeAbandoned(): void {
  for (const name of readdirSync(MEMORY)) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(MEMORY, name), { recursive: true, force: true });
  }
}

/** What is there though its test is over was not removed, or somebody wrote into it afterwards. */
function removeForgotten(): void {
  const left = [...made].filter(path => existsSync(path));
  for (const path of left) {
    process.stderr.write(`left behind: ${path} with ${readdirSync(path).join(', ')}\n`);
    rmSync(path, { recursive: true, force: true });
  }
  if (left.length > 0) process.exitCode = 1;
}
