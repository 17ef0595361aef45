import type { ByteChannel } from '#shared/engine/channel.ts';
import type { RequestHead } from '#shared/http/exchange.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { ForwardTunnel, TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { PoolLimits } from './attempt.ts';
import { chooseUpstreamProtocol, type ProtocolFacts } from './choose-protocol.ts';
import type { PoolClient } from './client-pools.ts';
import type { EndpointPools } from './endpoint-pools.ts';
import { tlsTowards } from './originated-tls.ts';
import { StaleConnectionError, TunnelAttempt } from './tunnel-attempt.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** What is known of where a forward proxy is. */
export interface ProxyUpstream extends Pick<ProtocolFacts, 'port'> {
  readonly connection: UpstreamConnection;
  readonly limits: PoolLimits;
  readonly policy: TrafficPolicy;
}

export interface TunnelEnvironment {
  readonly clock: Clock;
  readonly pools: EndpointPools;
}

/**
 * A connection to the target of `tunnel` through an endpoint that is a forward proxy, in the version of HTTP that its port
 * declares. The time to connect is that of the proxy's answer too. Rejects with a `ChannelError`, when the proxy refuses with a
 * `TunnelRefusedError`.
 */
export async function openTunnel(
  { clock, pools }: TunnelEnvironment,
  endpoint: BalancedEndpoint,
  upstream: ProxyUpstream,
  tunnel: ForwardTunnel,
  client: PoolClient,
): Promise<ByteChannel> {
  const { connection, limits, policy, port } = upstream;
  const spoken = chooseUpstreamProtocol(port?.appProtocol, 'http1', { upgrade: undefined }, policy);
  const head = headOf(tunnel, tlsTowards(endpoint.workload, connection) !== undefined);
  const [ip = ''] = endpoint.workload.addresses;
  const proxy = { ip, port: endpoint.targetPort };
  const untilMs = clock.monotonic() + pools.connectTimeoutMs(connection);
  const ask = (fresh: boolean): Promise<ByteChannel> => {
    const pool = pools.get(endpoint, spoken, connection, client);
    const leftMs = Math.max(1, Math.ceil(untilMs - clock.monotonic()));
    return new TunnelAttempt(head, proxy, fresh).open(pool, limits, clock, leftMs);
  };
  try {
    return await ask(false);
  } catch (error) {
    if (error instanceof StaleConnectionError) return ask(true);
    throw error;
  }
}

/** A tunnel of CONNECT has neither scheme nor path (RFC 9110 §9.3.6); a POST carries the bytes as its body. */
function headOf({ method, target }: ForwardTunnel, secured: boolean): RequestHead {
  const isConnect = method === 'CONNECT';
  return {
    method,
    scheme: isConnect ? '' : secured ? 'https' : 'http',
    authority: target,
    path: isConnect ? '' : '/',
    headers: [],
    protocol: 'HTTP/1.1',
    upgrade: undefined,
    contentLength: undefined,
    expectContinue: false,
  };
}
