import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import type { ServerExchange } from '#shared/http/exchange.ts';
import { Http1ServerConnection } from '#shared/http1/server-connection.ts';
import type { Http1ServerHandler, Http1ServerOptions } from '#shared/http1/server-options.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import { ErrorCode } from '#shared/http2/error-code.ts';
import type { Http2Options } from '#shared/http2/options.ts';
import { serveExchange } from '#shared/http2/server-exchange.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { Downstream, RequestEnvironment } from '../request/environment.ts';
import { serveRequest } from '../request/request-flow.ts';
import { namedHost } from '../hosts/asked-host.ts';
import { type Hello, readClientHello, UNREAD } from './client-hello.ts';
import { PeekedChannel } from './peeked-channel.ts';
import { TcpProxy } from './tcp-proxy.ts';
import { detectionMode, type DownstreamProtocol, sniffProtocol } from './sniff-protocol.ts';

export interface DownstreamServerOptions {
  readonly env: RequestEnvironment;
  readonly http1: Http1ServerOptions;
  /** A client that has said nothing by then is taken for one that waits for the server to speak: plain TCP. */
  readonly detectionTimeoutMs: number;
  readonly logger: Logger;
}

interface Drainable {
  drain(): void;
  endIdle(): void;
  cut(): void;
}

/** One object for all connections: what is made of options is remembered by it. */
const HTTP2_OPTIONS: Partial<Http2Options> = { enableConnectProtocol: true };
const SILENT = new ChannelError('timeout', 'no request within the idle timeout');
const CUT = new ChannelError('drain', 'the waypoint stops');

/** Serves accepted connections, tunnels or plain, in whatever protocol they speak. */
export class DownstreamServer {
  readonly tcp: TcpProxy;
  readonly #options: DownstreamServerOptions;
  readonly #connections = new Set<Drainable>();
  #draining = false;
  #ending = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: DownstreamServerOptions) {
    this.#options = options;
    this.tcp = new TcpProxy(options.env);
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  serve(channel: ByteChannel, downstream: Downstream): void {
    const { port, service } = downstream;
    const declared = service.port(port)?.appProtocol ?? 'unknown';
    const mode = detectionMode(declared, service.passesClientTls(port, undefined));
    if (mode === 'tcp') this.#serveTcp(channel, downstream);
    else this.#detect(channel, mode, downstream);
  }

  #serveTcp(channel: ByteChannel, downstream: Downstream): void {
    if (needsServerName(downstream)) this.#readServerName(channel, downstream);
    else this.tcp.proxy(channel, downstream, UNREAD);
  }

  /** Clients are told that each connection ends, with its next response or by GOAWAY. */
  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.drain();
  }

  /** Connections on which nothing is asked end, those that are told of their end by a response after it. */
  endIdle(): void {
    this.#ending = true;
    for (const connection of this.#connections) connection.endIdle();
  }

  /** Resolves when no connection is left, at the latest after `mostMs`. */
  async whenClosed(mostMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    await new Promise<void>(resolve => {
      const timer = this.#options.env.clock.setTimer(mostMs, resolve);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#onEmpty = undefined;
  }

  /** Ends every connection at once. */
  closeAll(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.cut();
  }

  #detect(channel: ByteChannel, mode: 'http' | 'any', downstream: Downstream): void {
    let decided = false;
    const decide = (protocol: DownstreamProtocol | 'silent'): void => {
      if (decided) return;
      decided = true;
      timer.cancel();
      this.#serveAs(protocol, peeked, downstream);
    };
    const fallback = mode === 'http' ? 'http1' : 'silent';
    const peeked = new PeekedChannel(channel, (first, ended) => {
      const protocol = sniffProtocol(first, mode) ?? (ended ? fallback : undefined);
      if (protocol !== undefined) decide(protocol);
    });
    const { env, detectionTimeoutMs, http1 } = this.#options;
    const timer =
      mode === 'any'
        ? env.clock.setTimer(detectionTimeoutMs, () => decide(fallback))
        : env.clock.setTimer(http1.idleTimeoutMs, () => channel.abort(SILENT));
    peeked.start();
  }

  /** A client that waits for the server to speak says nothing of TLS: it is passed on after a while, as plain TCP. */
  #readServerName(channel: ByteChannel, downstream: Downstream): void {
    let decided = false;
    const decide = (hello: Hello): void => {
      if (decided) return;
      decided = true;
      timer.cancel();
      this.tcp.proxy(peeked, downstream, hello);
    };
    const peeked = new PeekedChannel(channel, (first, ended) => {
      const hello = readClientHello(first);
      if (hello.kind !== 'incomplete') decide(hello);
      else if (ended) decide(UNREAD);
    });
    const { env, http1 } = this.#options;
    const declared = downstream.service.port(downstream.port)?.appProtocol;
    const timeoutMs = declared === 'tls' ? http1.headTimeoutMs : this.#options.detectionTimeoutMs;
    const timer = env.clock.setTimer(timeoutMs, () => decide(UNREAD));
    peeked.start();
  }

  #serveAs(protocol: DownstreamProtocol | 'silent', channel: ByteChannel, downstream: Downstream): void {
    if (protocol === 'http1') this.#serveHttp1(channel, downstream);
    else if (protocol === 'http2') this.#serveHttp2(channel, downstream);
    else if (protocol === 'tcp') this.#serveTcp(channel, downstream);
    else this.tcp.proxy(channel, downstream, UNREAD);
  }

  #serveHttp1(channel: ByteChannel, downstream: Downstream): void {
    const handler: Http1ServerHandler = {
      onRequest: exchange => serveRequest(downstream, exchange),
      onRefused: (status, reason) => this.#refused(downstream, `${status} ${reason}`),
      onClose: () => this.#remove(entry, downstream),
    };
    const connection = new Http1ServerConnection(channel, this.#options.http1, handler);
    const entry = {
      drain: () => connection.drain(),
      endIdle: () => connection.endIdle(),
      cut: () => channel.abort(CUT),
    };
    this.#add(entry);
    connection.start();
  }

  #serveHttp2(channel: ByteChannel, downstream: Downstream): void {
    downstream.protocol = 'http2';
    const serve = (exchange: ServerExchange): void => serveRequest(downstream, exchange);
    const connection: Http2Connection = new Http2Connection(
      'server',
      channel,
      this.#options.env.clock,
      HTTP2_OPTIONS,
      {
        onStream: (stream, fields, endStream) => serveExchange(stream, fields, endStream, serve),
        onGoaway: (code, text) => {
          if (code !== ErrorCode.NO_ERROR) this.#refused(downstream, `GOAWAY ${code} ${text}`);
        },
        onCapacity: () => {},
        onClose: () => this.#remove(entry, downstream),
      },
    );
    const entry = {
      drain: () => connection.drain(),
      // Has ended with its last stream, of which the client was told.
      endIdle: () => {},
      cut: () => connection.close(ErrorCode.NO_ERROR, 'cut'),
    };
    this.#add(entry);
  }

  #add(connection: Drainable): void {
    this.#connections.add(connection);
    if (this.#draining) connection.drain();
    if (this.#ending) connection.endIdle();
  }

  #remove(connection: Drainable, downstream: Downstream): void {
    downstream.close();
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #refused(downstream: Downstream, reason: string): void {
    this.#options.logger.debug('downstream broke the protocol', {
      'src.addr': downstream.sourceAddress,
      'src.identity': downstream.peers.sourceIdentity,
      'dst.service': downstream.service.name,
      reason,
    });
  }
}

/** Whether a route or a policy asks for it, or the endpoints of a host are meant. */
function needsServerName(downstream: Downstream): boolean {
  return downstream.service.asksServerName(downstream.port, namedHost(downstream, '') !== '');
}
