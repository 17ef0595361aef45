import type { Logger } from '#shared/observability/logger.ts';
import type { MeshGate } from '../../pod/mesh-gate.ts';

export interface ChargeOptions {
  readonly mesh: MeshGate;
  /** Whether an older ztunnel of this node answers the CNI plugin. */
  readonly isServedByOlder: () => Promise<boolean>;
  /** This process ends. */
  readonly isStopped: () => boolean;
  readonly logger: Logger;
}

/** How often the older ztunnel is looked for. */
const POLL_MS = 250;

/**
 * Resolves when the mesh is known, or no older ztunnel answers the plugin: until then it is the older one that captures pods
 * that start, and sees to the rules of those that run.
 */
export async function untilMayTakeCharge(options: ChargeOptions): Promise<void> {
  const { mesh, isServedByOlder, isStopped, logger } = options;
  let isTold = false;
  while (!mesh.known && !isStopped() && (await isServedByOlder())) {
    if (!isTold) logger.info('an older ztunnel of this node stays in charge until the mesh is known here');
    isTold = true;
    await mesh.wait(POLL_MS).catch(() => undefined);
  }
}
