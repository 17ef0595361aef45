import type { Socket } from 'node:net';
import { connect, TLSSocket } from 'node:tls';
import type { Clock } from '../../lifecycle/clock.ts';
import { ChannelError } from '../channel.ts';
import type { SecureChannel, TlsOptions } from '../engine.ts';
import type { HandshakeLimiter } from '../handshake-limiter.ts';
import type { ChannelContext } from './node-channel.ts';
import { handshakeError, handshakeTimedOut, tooManyHandshakes } from '../handshake-error.ts';
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
  const transport = channel.release();
  const limiter = env.limiters[role];
  return new Promise((resolve, reject) => {
    let settled = false;
    let secured: TLSSocket | undefined;
    const settle = (outcome: SecureChannel | ChannelError): void => {
      if (settled) return;
      settled = true;
      timer.cancel();
      limiter.leave(start, !(outcome instanceof ChannelError));
      transport.off('close', onClose);
      if (outcome instanceof ChannelError) {
        discard(secured, transport);
        reject(outcome);
      } else resolve(outcome);
    };
    const fail = (error: unknown): void => settle(handshakeError(error, role, peer));
    const onClose = (): void => fail(new Error('the peer closed the connection during the handshake'));
    const onSecured = (socket: TLSSocket): void => {
      try {
        const facts = readHandshakeFacts(socket, options, env.clock.now());
        socket.removeAllListeners('_tlsError');
        socket.off('error', fail);
        socket.off('end', onClose);
        settle(createSecureChannel(socket, transport, env.channels, facts));
      } catch (error) {
        fail(error);
      }
    };
    const start = (): void => {
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
      secured.on(
        role === 'server' ? 'secure' : 'secureConnect',
        () => secured !== undefined && onSecured(secured),
      );
    };
    transport.on('close', onClose);
    transport.on('error', ignore);
    const timer = env.clock.setTimer(options.timeoutMs, () =>
      settle(handshakeTimedOut(options.timeoutMs, peer)),
    );
    if (!limiter.enter(start, peer.ip)) {
      settled = true;
      timer.cancel();
      discard(undefined, transport);
      reject(tooManyHandshakes(peer));
    }
  });
}

function begin(
  role: 'client' | 'server',
  transport: Socket,
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

function discard(secured: TLSSocket | undefined, transport: Socket): void {
  secured?.on('error', ignore);
  secured?.destroy();
  transport.destroy();
}

function ignore(): void {}
