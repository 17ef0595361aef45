import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, TLSSocket } from 'node:tls';
import type { Clock } from '../../lifecycle/clock.ts';
import { type ByteChannel, ChannelError, type SocketEndpoint } from '../channel.ts';
import type { SecureChannel, TlsOptions } from '../engine.ts';
import type { HandshakeLimiter, LimitedHandshake } from '../handshake-limiter.ts';
import { ChannelDuplex } from './channel-duplex.ts';
import type { ChannelContext } from './node-channel.ts';
import { gaveWay, handshakeError, handshakeTimedOut, tooManyHandshakes } from '../handshake-error.ts';
import { verifyValidity } from '../peer-certificate.ts';
import { readHandshakeFacts } from './peer-certificate.ts';
import { createSecureChannel } from './secure-channel.ts';
import { READABLE_HIGH_WATER_BYTES } from './socket-options.ts';
import type { NodeTcpChannel } from './tcp-channel.ts';
import type { NodeTlsContext } from './tls-context.ts';

export interface HandshakeEnvironment {
  readonly clock: Clock;
  readonly limiters: Readonly<Record<'client' | 'server', HandshakeLimiter>>;
  readonly channels: ChannelContext;
}

/** The deadline covers the wait for a place as well as the handshake. */
export function handshake(
  role: 'client' | 'server',
  channel: NodeTcpChannel,
  context: NodeTlsContext,
  options: TlsOptions,
  env: HandshakeEnvironment,
): Promise<SecureChannel> {
  const peer = channel.remoteAddress;
  return secure(role, channel.release(), peer, context, options, env);
}

/** As `handshake`, of a client whose records travel in a byte channel. */
export function handshakeOver(
  channel: ByteChannel,
  context: NodeTlsContext,
  options: TlsOptions,
  peer: SocketEndpoint,
  env: HandshakeEnvironment,
): Promise<SecureChannel> {
  return secure('client', new ChannelDuplex(channel, env.clock), peer, context, options, env);
}

function secure(
  role: 'client' | 'server',
  transport: Socket | ChannelDuplex,
  peer: SocketEndpoint,
  context: NodeTlsContext,
  options: TlsOptions,
  env: HandshakeEnvironment,
): Promise<SecureChannel> {
  const limiter = env.limiters[role];
  return new Promise((resolve, reject) => {
    let settled = false;
    let secured: TLSSocket | undefined;
    let startedAt: number | undefined;
    const settle = (outcome: SecureChannel | ChannelError): void => {
      if (settled) return;
      settled = true;
      timer.cancel();
      limiter.leave(place, !(outcome instanceof ChannelError));
      transport.off('close', onTransportClose);
      if (outcome instanceof ChannelError) {
        discard(secured, transport, outcome);
        reject(outcome);
      } else resolve(outcome);
    };
    const fail = (error: unknown): void => settle(handshakeError(error, role, peer));
    const onClose = (): void => fail(new Error('the peer closed the connection during the handshake'));
    // With a TLS socket over it, that one closes as well, and says why before it does.
    const onTransportClose = (): void => {
      if (secured === undefined) onClose();
    };
    const onSecured = (socket: TLSSocket): void => {
      try {
        const facts = readHandshakeFacts(socket, options, env.clock.now());
        socket.removeAllListeners('_tlsError');
        socket.off('error', fail);
        socket.off('end', onClose);
        socket.off('close', onClose);
        settle(createSecureChannel(socket, transport, env.channels, facts));
      } catch (error) {
        fail(error);
      }
    };
    const start = (): void => {
      startedAt = env.clock.monotonic();
      try {
        verifyValidity('our own certificate', context.notBefore, context.notAfter, env.clock.now());
        secured = begin(role, transport, context, options);
      } catch (error) {
        fail(error);
        return;
      }
      secured.on('error', fail);
      secured.on('_tlsError', fail);
      secured.on('end', onClose);
      secured.on('close', onClose);
      secured.on(
        role === 'server' ? 'secure' : 'secureConnect',
        () => secured !== undefined && onSecured(secured),
      );
    };
    // The runtime does not say whose turn it is.
    const place: LimitedHandshake = {
      peer: peer.ip,
      start,
      waitsSince: () => startedAt,
      evict: () => settle(gaveWay(peer)),
    };
    transport.on('close', onTransportClose);
    transport.on('error', ignore);
    const timer = env.clock.setTimer(options.timeoutMs, () =>
      settle(handshakeTimedOut(options.timeoutMs, peer)),
    );
    if (!limiter.enter(place)) {
      settled = true;
      timer.cancel();
      const error = tooManyHandshakes(peer);
      discard(undefined, transport, error);
      reject(error);
    }
  });
}

function begin(
  role: 'client' | 'server',
  transport: Duplex,
  context: NodeTlsContext,
  options: TlsOptions,
): TLSSocket {
  const common = {
    secureContext: context.secureContext,
    ALPNProtocols: [...options.alpn],
    rejectUnauthorized: options.verifyPeer,
    highWaterMark: READABLE_HIGH_WATER_BYTES,
  };
  if (role === 'server')
    return new TLSSocket(transport, { ...common, isServer: true, requestCert: options.verifyPeer });
  const { server } = options;
  const name = server?.serverName === undefined ? {} : { servername: server.serverName };
  // A peer of the mesh is known by its SPIFFE id, which the caller compares: there is no name to ask for (SNI). Another one is
  // compared with the names it was expected under after the handshake, as on the other engine.
  return connect({ ...common, ...name, socket: transport, checkServerIdentity: () => undefined });
}

function discard(
  secured: TLSSocket | undefined,
  transport: Socket | ChannelDuplex,
  error: ChannelError,
): void {
  secured?.on('error', ignore);
  // An alert says why to a peer that has been refused; otherwise there is nothing that should arrive.
  if (transport instanceof ChannelDuplex && error.code !== 'tls_handshake') transport.resetAndDestroy(error);
  secured?.destroy();
  transport.destroy();
}

function ignore(): void {}
