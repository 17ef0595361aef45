/** Envoy's own HBONE, in the terms of its v3 API: the peer of the benchmarks and of the interoperability test. */

export interface EnvoyTlsFiles {
  readonly certChain: string;
  readonly privateKey: string;
  readonly trustBundle: string;
  /** SPIFFE id that the other end must prove. */
  readonly peerIdentity: string;
}

export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** A plain port whose connections go through the tunnel to `target`. */
export interface TunnelledPort {
  readonly listen: Address;
  readonly target: Address;
}

export type Json = { readonly [key: string]: unknown };

export const TYPE = 'type.googleapis.com/envoy.';
/** The windows of HBONE peers. */
export const HTTP2 = {
  initial_stream_window_size: 4_194_304,
  initial_connection_window_size: 16_777_216,
  max_concurrent_streams: 100,
};

export function envoyOutbound(ports: readonly TunnelledPort[], hbone: Address, tls: EnvoyTlsFiles): Json {
  return bootstrap(
    ports.map(({ listen, target }) =>
      listener(listen, [
        {
          name: 'tcp',
          typed_config: {
            '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
            stat_prefix: 'outbound',
            access_log: [accessLog()],
            cluster: 'hbone',
            tunneling_config: { hostname: `${target.ip}:${target.port}` },
          },
        },
      ]),
    ),
    [
      {
        ...cluster('hbone', hbone),
        typed_extension_protocol_options: {
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
            '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
            explicit_http_config: { http2_protocol_options: HTTP2 },
          },
        },
        transport_socket: transportSocket('UpstreamTlsContext', tls),
      },
    ],
  );
}

export function envoyInbound(listen: Address, targets: readonly Address[], tls: EnvoyTlsFiles): Json {
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'inbound',
    codec_type: 'HTTP2',
    http2_protocol_options: { ...HTTP2, allow_connect: true },
    upgrade_configs: [{ upgrade_type: 'CONNECT' }],
    access_log: [accessLog()],
    http_filters: [routerFilter()],
    route_config: { virtual_hosts: targets.map(connectRoute) },
  };
  return bootstrap(
    [
      listener(listen, [{ name: 'http', typed_config: manager }], {
        transport_socket: transportSocket('DownstreamTlsContext', tls),
      }),
    ],
    targets.map(target => cluster(`tcp-${target.port}`, target)),
  );
}

/** A plain HTTP/1.1 proxy, the peer of the waypoint. */
export function envoyHttpProxy(listen: Address, upstream: Address): Json {
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    http_filters: [routerFilter()],
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }] },
      ],
    },
  };
  return bootstrap(
    [listener(listen, [{ name: 'http', typed_config: manager }])],
    [
      {
        ...cluster('upstream', upstream),
        // The default (1024) is there to protect a server; here it would only cut the benchmark short.
        circuit_breakers: {
          thresholds: [{ max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000 }],
        },
      },
    ],
  );
}

function connectRoute(target: Address): Json {
  return {
    name: `tcp-${target.port}`,
    domains: [`${target.ip}:${target.port}`],
    routes: [
      {
        match: { connect_matcher: {} },
        route: {
          cluster: `tcp-${target.port}`,
          timeout: '0s',
          upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }],
        },
      },
    ],
  };
}

export function bootstrap(listeners: readonly Json[], clusters: readonly Json[]): Json {
  return { static_resources: { listeners, clusters } };
}

export function listener(address: Address, filters: readonly Json[], chain: Json = {}): Json {
  return {
    name: `${address.ip}:${address.port}`,
    address: socketAddress(address),
    filter_chains: [{ filters, ...chain }],
  };
}

export function cluster(name: string, address: Address): Json {
  const endpoint = { endpoint: { address: socketAddress(address) } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
    circuit_breakers: {
      thresholds: [{ max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000 }],
    },
  };
}

function socketAddress({ ip, port }: Address): Json {
  return { socket_address: { address: ip, port_value: port } };
}

/** In its default format: ztunnel writes a line for each connection too. */
export function accessLog(): Json {
  return {
    name: 'envoy.access_loggers.stdout',
    typed_config: { '@type': `${TYPE}extensions.access_loggers.stream.v3.StdoutAccessLog` },
  };
}

export function routerFilter(): Json {
  return {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
  };
}

export function transportSocket(
  context: 'UpstreamTlsContext' | 'DownstreamTlsContext',
  tls: EnvoyTlsFiles,
): Json {
  const sanMatch = { san_type: 'URI', matcher: { exact: tls.peerIdentity } };
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}extensions.transport_sockets.tls.v3.${context}`,
      ...(context === 'DownstreamTlsContext' ? { require_client_certificate: true } : {}),
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_params: {
          tls_minimum_protocol_version: 'TLSv1_3',
          tls_maximum_protocol_version: 'TLSv1_3',
          // As ours (shared/engine/tls-material.ts), so that handshakes of both do the same.
          ecdh_curves: ['X25519MLKEM768', 'X25519', 'P-256'],
        },
        tls_certificates: [
          { certificate_chain: { filename: tls.certChain }, private_key: { filename: tls.privateKey } },
        ],
        validation_context: {
          trusted_ca: { filename: tls.trustBundle },
          match_typed_subject_alt_names: [sanMatch],
        },
      },
    },
  };
}
