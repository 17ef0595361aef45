import type { Clock } from '../../lifecycle/clock.ts';
import { ChannelError } from '../channel.ts';
import type { Engine, TcpChannel, TlsContext } from '../engine.ts';
import { FlushQueue } from './flush-queue.ts';
import { type HandshakeCounts, HandshakeLimiter } from './handshake-limiter.ts';
import { ChunkPool } from './output-queue.ts';
import { NodeTcpChannel } from './tcp-channel.ts';
import { connectTcp } from './tcp-connect.ts';
import { listenTcp } from './tcp-listener.ts';
import { createNodeTlsContext, NodeTlsContext } from './tls-context.ts';
import { handshake } from './tls-handshake.ts';

export interface NodeEngineOptions {
  readonly clock: Clock;
  /** Handshakes under way at a time, of each role. Default 256. */
  readonly maxActiveHandshakes?: number;
  /** Handshakes that wait for a place, of each role. Default 4096; further ones are refused. */
  readonly maxWaitingHandshakes?: number;
  /** Hears of accepts that failed (`resource_exhausted` for EMFILE) and of handlers that threw. */
  readonly onAcceptError?: (error: ChannelError) => void;
}

export interface NodeEngine extends Engine {
  readonly name: 'node';
  readonly handshakes: HandshakeCounts;
}

/** The portable engine, over `node:net` and `node:tls`. One per thread. */
export function createNodeEngine(options: NodeEngineOptions): NodeEngine {
  const { clock } = options;
  const channels = { flushQueue: new FlushQueue(), chunks: new ChunkPool() };
  const newLimiter = (): HandshakeLimiter =>
    new HandshakeLimiter(options.maxActiveHandshakes ?? 256, options.maxWaitingHandshakes ?? 4096);
  // Apart, so that strangers who connect and say nothing cannot keep us from connecting to others.
  const limiters = { server: newLimiter(), client: newLimiter() };
  const onAcceptError = options.onAcceptError ?? (() => {});
  const env = { clock, limiters, channels };
  return {
    name: 'node',
    get handshakes() {
      return sum(limiters.server.counts, limiters.client.counts);
    },
    listen: (target, onAccept) => listenTcp(target, channels, onAccept, onAcceptError),
    connect: (target, signal) => connectTcp(target, clock, channels, signal),
    createTlsContext: createNodeTlsContext,
    secureServer: async (channel, context, tls) =>
      handshake('server', ours(channel), oursTls(context), tls, env),
    secureClient: async (channel, context, tls) =>
      handshake('client', ours(channel), oursTls(context), tls, env),
  };
}

function sum(a: HandshakeCounts, b: HandshakeCounts): HandshakeCounts {
  return {
    active: a.active + b.active,
    waiting: a.waiting + b.waiting,
    startedTotal: a.startedTotal + b.startedTotal,
    rejectedTotal: a.rejectedTotal + b.rejectedTotal,
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
