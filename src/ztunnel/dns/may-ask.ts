import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { resolveAddress } from '#shared/workload/destination.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { Workload } from '#shared/workload/workload.ts';
import type { DnsSettings } from './dns-context.ts';
import type { Transport } from './dns-metrics.ts';

/**
 * Whether a pod may ask a name server. Over TCP as it may connect to it (`OUTBOUND_TRAFFIC_POLICY`); the mesh holds nothing for
 * datagrams, captured or not.
 */
export function mayAsk(
  view: MeshView,
  source: Workload,
  transport: Transport,
  server: SocketEndpoint,
  { outboundTrafficPolicy }: Pick<DnsSettings, 'outboundTrafficPolicy'>,
): boolean {
  if (transport === 'udp' || outboundTrafficPolicy === 'allow_any') return true;
  return resolveAddress(view, source, server.ip).kind !== 'unknown';
}
