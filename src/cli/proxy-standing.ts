import { errorMessage } from '#shared/observability/error-message.ts';
import { fetchJson } from './admin-client.ts';
import type { ProxyRef } from './proxies.ts';
import { decodeSyncStatus, type SyncedProxy } from './sync-status.ts';

/** A proxy that runs, and how a controller knows it: undefined when none does. */
export interface ProxyStanding {
  readonly proxy: ProxyRef;
  /** As `proxy-status` shows it. */
  readonly name: string;
  readonly status: SyncedProxy | undefined;
}

/** Each replica knows the proxies connected to it. `failed`: why those that do not answer do not. */
export async function askControllers(
  controllers: readonly ProxyRef[],
): Promise<{ readonly known: readonly SyncedProxy[]; readonly failed: readonly string[] }> {
  const answers = await Promise.allSettled(
    controllers.map(async c => decodeSyncStatus(await fetchJson(c.admin, '/debug/syncz'), c.name)),
  );
  const known = answers.flatMap(a => (a.status === 'fulfilled' ? a.value : []));
  const failed = answers.flatMap(a => (a.status === 'rejected' ? [errorMessage(a.reason)] : []));
  return { known, failed };
}

export function standings(known: readonly SyncedProxy[], running: readonly ProxyRef[]): ProxyStanding[] {
  return running.map(proxy => ({
    proxy,
    name: proxy.namespace === '' ? proxy.name : `${proxy.name}.${proxy.namespace}`,
    status: known.find(k => isOf(k, proxy)),
  }));
}

/** The controller knows a proxy by its pod, `<pod>.<namespace>`. */
function isOf({ name }: SyncedProxy, { pod, namespace }: ProxyRef): boolean {
  return namespace === '' ? name.startsWith(`${pod}.`) : name === `${pod}.${namespace}`;
}
