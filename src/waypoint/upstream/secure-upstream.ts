import { isIP } from 'node:net';
import type { ByteChannel } from '#shared/engine/channel.ts';
import type {
  Engine,
  ForeignServer,
  SecureChannel,
  TcpChannel,
  TlsContext,
  TlsOptions,
} from '#shared/engine/engine.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { TlsCredential } from '#shared/route/tls-credential.ts';
import { type Workload, workloadIdentity } from '#shared/workload/workload.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { OriginatedTls } from './originated-tls.ts';
import { TlsContexts } from './tls-contexts.ts';

/** What is offered, and to whom. */
export interface SecuredEndpoint {
  readonly alpn: readonly string[];
  readonly endpoint: Pick<BalancedEndpoint, 'workload' | 'targetPort'>;
}

/** The waypoint's certificate of the mesh, where it shows that one. */
export interface MeshCertificate {
  direct(): TlsContext;
}

/** TLS that the waypoint speaks with endpoints, in one thread. */
export class SecureUpstream {
  readonly #engine: Engine;
  readonly #contexts: TlsContexts;
  readonly #own: MeshCertificate;

  constructor(engine: Engine, clock: Clock, own: MeshCertificate) {
    this.#engine = engine;
    this.#contexts = new TlsContexts(engine, clock);
    this.#own = own;
  }

  setCredential(name: string, credential: TlsCredential | undefined): void {
    this.#contexts.setCredential(name, credential);
  }

  /** Throws `ChannelError` `tls_handshake` when there is nothing to secure a connection with: before one is made. */
  context(tls: OriginatedTls): TlsContext {
    return tls.kind === 'mesh' ? this.#own.direct() : this.#contexts.get(tls.trust);
  }

  /** Takes the channel over. Rejects with a `ChannelError` `tls_handshake` or `timeout`; the connection is closed then. */
  handshake(
    channel: TcpChannel,
    context: TlsContext,
    tls: OriginatedTls,
    options: SecuredEndpoint,
    timeoutMs: number,
  ): Promise<SecureChannel> {
    return this.#engine.secureClient(channel, context, tlsOptions(tls, options, timeoutMs));
  }

  /** As `handshake`, in a tunnel to the endpoint, which ends with it. */
  handshakeWithin(
    tunnel: ByteChannel,
    context: TlsContext,
    tls: OriginatedTls,
    options: SecuredEndpoint,
    timeoutMs: number,
  ): Promise<SecureChannel> {
    const { targetPort: port, workload } = options.endpoint;
    const [ip = ''] = workload.addresses;
    return this.#engine.secureClientOver(tunnel, context, tlsOptions(tls, options, timeoutMs), { ip, port });
  }
}

function tlsOptions(tls: OriginatedTls, { alpn, endpoint }: SecuredEndpoint, timeoutMs: number): TlsOptions {
  return {
    alpn,
    timeoutMs: Math.max(1, Math.ceil(timeoutMs)),
    verifyPeer: tls.kind === 'mesh' || tls.verifies,
    server: serverOf(tls, endpoint.workload),
  };
}

function serverOf(tls: OriginatedTls, workload: Workload): ForeignServer {
  if (tls.kind === 'foreign') return foreignServer(tls, workload.hostname);
  const { names, serverName } = tls;
  return { serverName, names: names.length > 0 ? names : [workloadIdentity(workload)] };
}

function foreignServer(
  { namedByEndpoint, namesGiven, server }: Extract<OriginatedTls, { kind: 'foreign' }>,
  hostname: string,
): ForeignServer {
  if (!namedByEndpoint || hostname === '' || isIP(hostname) !== 0) return server;
  return { serverName: hostname, names: namesGiven ? server.names : [hostname] };
}
