import { openFileLimit } from '#shared/config/open-file-limit.ts';
import { memoryLimitBytes } from '#shared/observability/process-metrics.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { ZtunnelConfig } from '../config.ts';
import { type ConnectionBounds, connectionBounds } from '../connections/connection-bounds.ts';
import type { ConnectionSettings } from '../connections/place-keeper.ts';
import { countMemory } from '../connections/shared-count.ts';

const MIB = 1024 * 1024;

/** How many connections this process carries, by what it may use. */
export function connectionSettings(
  config: Pick<ZtunnelConfig, 'workerThreads' | 'workerHeapMb' | 'maxConnectionsPerPod'>,
  logger: Logger,
): { readonly bounds: ConnectionBounds; readonly connections: ConnectionSettings } {
  const { maxConnectionsPerPod, workerHeapMb, workerThreads: threads } = config;
  const limits = {
    openFiles: openFileLimit(),
    memoryBytes: memoryLimitBytes(),
    heapBytes: threads * workerHeapMb * MIB,
  };
  const bounds = connectionBounds(limits, maxConnectionsPerPod);
  logger.info('room for connections', { ...bounds });
  return { bounds, connections: { ...bounds, threads, used: countMemory(threads, 1) } };
}
