import { ChannelError } from '../channel.ts';
import type { TcpChannel, TlsContext } from '../engine.ts';
import type { EngineOptions, MeasuredEngine } from '../engine-options.ts';
import { FlushQueue } from './flush-queue.ts';
import { HandshakeLimiter } from '../handshake-limiter.ts';
import { newOutputChunks } from './output-queue.ts';
import { NodeTcpChannel } from './tcp-channel.ts';
import { connectTcp } from './tcp-connect.ts';
import { listenTcp } from './tcp-listener.ts';
import { createNodeForeignContext, createNodeTlsContext, NodeTlsContext } from './tls-context.ts';
import { handshake, handshakeOver } from './tls-handshake.ts';

/** The portable engine, over `node:net` and `node:tls`. One per thread. */
export function createNodeEngine(options: EngineOptions): MeasuredEngine {
  const { clock } = options;
  const channels = { flushQueue: new FlushQueue(), chunks: newOutputChunks() };
  const newLimiter = (): HandshakeLimiter =>
    new HandshakeLimiter(clock, options.maxActiveHandshakes ?? 256, options.maxWaitingHandshakes ?? 4096);
  // Apart, so that strangers who connect and say nothing cannot keep us from connecting to others.
  const limiters = { server: newLimiter(), client: newLimiter() };
  const onAcceptError = options.onAcceptError ?? (() => {});
  const env = { clock, limiters, channels };
  return {
    name: 'node',
    get handshakes() {
      return { client: limiters.client.counts, server: limiters.server.counts };
    },
    listen: (target, onAccept) => listenTcp(target, channels, onAccept, onAcceptError),
    connect: (target, signal) => connectTcp(target, clock, channels, signal),
    createTlsContext: createNodeTlsContext,
    createForeignTlsContext: createNodeForeignContext,
    secureServer: async (channel, context, tls) =>
      handshake('server', ours(channel), oursTls(context), tls, env),
    secureClient: async (channel, context, tls) =>
      handshake('client', ours(channel), oursTls(context), tls, env),
    secureClientOver: async (channel, context, tls, peer) =>
      handshakeOver(channel, oursTls(context), tls, peer, env),
  };
}

function ours(channel: TcpChannel): NodeTcpChannel {
  if (channel instanceof NodeTcpChannel) return channel;
  throw new ChannelError('io', 'the node engine cannot secure a channel of another engine');
}

function oursTls(context: TlsContext): NodeTlsContext {
  if (context instanceof NodeTlsContext) return context;
  throw new ChannelError('io', 'the TLS context was made by another engine');
}
