import {
  accessLog,
  type Address,
  bootstrap,
  cluster,
  type EnvoyTlsFiles,
  HTTP2,
  type Json,
  listener,
  routerFilter,
  transportSocket,
  TYPE,
} from '../envoy-config.ts';
import {
  BENCH_SERVICES,
  type BenchService,
  rulePrefixes,
  SERVICE_PORT,
  TARGET_PORTS,
} from './address-plan.ts';
import { REQUEST_TIMEOUT_S, RETRY } from './features.ts';
import { PROTOCOLS, type Protocol } from './plan.ts';

/** What a retry policy of Istio puts in front of its list for Envoy. */
const RETRY_ON = RETRY.on.replace(',503', ',retriable-status-codes');

/**
 * Envoy as a waypoint, built as Istio builds its own: HBONE is ended by one listener, each service has an internal one with
 * its routes, and an internal one more takes what goes to an endpoint into HBONE again.
 */
export function envoyWaypoint(listen: Address, endpoint: Address, tls: EnvoyTlsFiles): Json {
  const outer = listener(listen, [httpFilter(outerManager())], {
    transport_socket: transportSocket('DownstreamTlsContext', tls),
  });
  return {
    ...bootstrap(
      [
        outer,
        ...BENCH_SERVICES.map(innerListener),
        ...PROTOCOLS.map(protocol => originateListener(protocol, endpoint)),
      ],
      [
        ...BENCH_SERVICES.map(({ name }) => internalCluster(`inner-${name}`, `inner-${name}`, 'http1')),
        ...PROTOCOLS.map(protocol =>
          internalCluster(
            `endpoint-${protocol}`,
            `originate-${protocol}`,
            protocol === 'h1' ? 'http1' : 'http2',
          ),
        ),
        {
          ...cluster('hbone', endpoint),
          ...http2Upstream(),
          transport_socket: transportSocket('UpstreamTlsContext', tls),
        },
      ],
    ),
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: { '@type': `${TYPE}extensions.bootstrap.internal_listener.v3.InternalListener` },
      },
    ],
  };
}

function outerManager(): Json {
  return {
    stat_prefix: 'hbone',
    codec_type: 'HTTP2',
    http2_protocol_options: { ...HTTP2, allow_connect: true },
    upgrade_configs: [{ upgrade_type: 'CONNECT' }],
    http_filters: [routerFilter()],
    route_config: {
      virtual_hosts: BENCH_SERVICES.map(({ name, vip }) => ({
        name,
        domains: [`${vip}:${SERVICE_PORT}`],
        routes: [
          {
            match: { connect_matcher: {} },
            route: {
              cluster: `inner-${name}`,
              timeout: '0s',
              upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }],
            },
          },
        ],
      })),
    },
  };
}

function innerListener({ name, protocol, rules }: BenchService): Json {
  const routes = rulePrefixes(rules).map((prefix, i) => ({
    name: `rule-${i}`,
    match: { prefix },
    route: {
      cluster: `endpoint-${protocol}`,
      timeout: `${REQUEST_TIMEOUT_S}s`,
      retry_policy: {
        retry_on: RETRY_ON,
        retriable_status_codes: [503],
        num_retries: RETRY.attempts,
        per_try_timeout: `${RETRY.perTryTimeoutS}s`,
      },
    },
  }));
  const manager = {
    stat_prefix: name,
    codec_type: 'AUTO',
    access_log: [accessLog()],
    http2_protocol_options: HTTP2,
    http_filters: [routerFilter()],
    route_config: { virtual_hosts: [{ name, domains: ['*'], routes }] },
  };
  return {
    name: `inner-${name}`,
    internal_listener: {},
    filter_chains: [{ filters: [httpFilter(manager)] }],
  };
}

function originateListener(protocol: Protocol, endpoint: Address): Json {
  const proxy = {
    name: 'tcp',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 'originate',
      cluster: 'hbone',
      tunneling_config: { hostname: `${endpoint.ip}:${TARGET_PORTS[protocol]}` },
    },
  };
  return { name: `originate-${protocol}`, internal_listener: {}, filter_chains: [{ filters: [proxy] }] };
}

function internalCluster(name: string, listenerName: string, speaks: 'http1' | 'http2'): Json {
  const address = { envoy_internal_address: { server_listener_name: listenerName, endpoint_id: name } };
  const base = cluster(name, { ip: '127.0.0.1', port: 1 });
  return {
    ...base,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    ...(speaks === 'http2' ? http2Upstream() : {}),
    transport_socket: {
      name: 'envoy.transport_sockets.internal_upstream',
      typed_config: {
        '@type': `${TYPE}extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport`,
        transport_socket: {
          name: 'envoy.transport_sockets.raw_buffer',
          typed_config: { '@type': `${TYPE}extensions.transport_sockets.raw_buffer.v3.RawBuffer` },
        },
      },
    },
  };
}

function http2Upstream(): Json {
  return {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: HTTP2 },
      },
    },
  };
}

function httpFilter(manager: Json): Json {
  const type = `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
  return { name: 'http', typed_config: { '@type': type, ...manager } };
}
