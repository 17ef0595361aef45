import type { Head } from '#shared/dashboard/frames.ts';
import { VERSION } from '#shared/config/version.ts';
import type { MeshPicture } from '../mesh-watch.ts';

/** Which mesh is shown, for people and for commands. */
export interface MeshLabel {
  /** `the mesh of /dev/shm/ambient-mesh`. */
  readonly mesh: string;
  /** ` --context prod`; empty where ambientctl finds it by itself. */
  readonly cliOptions: string;
  readonly isCluster: boolean;
}

export function headOf(picture: MeshPicture, { cliOptions, isCluster, mesh }: MeshLabel): Head {
  const { inventory } = picture.state;
  const named = [...inventory.services.values(), ...inventory.workloads.values()];
  return {
    atMs: picture.atMs,
    version: VERSION,
    mesh,
    cliOptions,
    isCluster,
    windowSeconds: picture.traffic.seconds,
    namespaces: [...new Set(named.map(({ namespace }) => namespace))].sort(),
    warnings: shortened(picture.warnings),
    errorCount: picture.problems.filter(p => p.level === 'Error').length,
    refusalCount: picture.refusals.filter(r => r.kind === 'denied').length,
  };
}

const MAX_WARNINGS = 50;

function shortened(warnings: readonly string[]): readonly string[] {
  if (warnings.length <= MAX_WARNINGS) return warnings;
  return [...warnings.slice(0, MAX_WARNINGS), `and ${warnings.length - MAX_WARNINGS} more`];
}
