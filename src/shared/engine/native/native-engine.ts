import type { Clock } from '../../lifecycle/clock.ts';
import { ChannelError } from '../channel.ts';
import type { Engine, TcpChannel, TlsContext } from '../engine.ts';
import type { EngineOptions, MeasuredEngine } from '../engine-options.ts';
import type { FdLedger } from '../fd-ledger.ts';
import { HandshakeLimiter } from '../handshake-limiter.ts';
import { handshakeOver } from './channel-handshake.ts';
import { EventLoop } from './event-loop.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import { LoopClock } from './loop-clock.ts';
import { NativeChannel } from './native-channel.ts';
import { NativeThread } from './native-thread.ts';
import { SharedDriver } from './shared-driver.ts';
import { connectTcp } from './tcp-connect.ts';
import { listenTcp } from './tcp-listener.ts';
import { ThreadDriver } from './thread-driver.ts';
import { createNativeForeignContext, createNativeTlsContext, NativeTlsContext } from './tls-context.ts';
import { handshake } from './tls-handshake.ts';

/**
 * The native engine for a thread that has other work as well (the main thread): the runtime's loop waits, this one takes
 * turns in it. One per thread.
 */
export function createSharedNativeEngine(options: EngineOptions): MeasuredEngine {
  const loop = new EventLoop();
  new SharedDriver(loop);
  return buildEngine(loop, options.clock, options, undefined);
}

/**
 * The native engine for a worker thread that carries traffic: the thread blocks in this engine's loop, whose clock is to be
 * the clock of everything on the thread.
 */
export function createThreadNativeEngine(
  options: Omit<EngineOptions, 'clock'>,
  ledger: FdLedger | undefined,
): { readonly engine: MeasuredEngine; readonly clock: Clock } {
  const loop = new EventLoop();
  const clock = new LoopClock();
  new ThreadDriver(loop, clock);
  return { engine: buildEngine(loop, clock, options, ledger), clock };
}

function buildEngine(
  loop: EventLoop,
  clock: Clock,
  options: Omit<EngineOptions, 'clock'>,
  ledger: FdLedger | undefined,
): MeasuredEngine {
  const onError = options.onAcceptError ?? (() => {});
  const thread = new NativeThread({ loop, clock, ledger, onFault: onError });
  const newLimiter = (): HandshakeLimiter =>
    new HandshakeLimiter(clock, options.maxActiveHandshakes ?? 256, options.maxWaitingHandshakes ?? 4096);
  // Apart, so that strangers who connect and say nothing cannot keep us from connecting to others.
  const limiters = { server: newLimiter(), client: newLimiter() };
  const env = { thread, limiters, queue: new HandshakeQueue(loop) };
  const engine: Engine = {
    name: 'native',
    listen: async (target, onAccept) => listenTcp(target, thread, onAccept, onError),
    connect: (target, signal) => connectTcp(target, thread, signal),
    defer: fn => loop.defer(fn),
    createTlsContext: createNativeTlsContext,
    createForeignTlsContext: createNativeForeignContext,
    secureServer: async (channel, context, tls) =>
      handshake('server', ours(channel), oursTls(context), tls, env),
    secureClient: async (channel, context, tls) =>
      handshake('client', ours(channel), oursTls(context), tls, env),
    secureClientOver: async (channel, context, tls, peer) =>
      handshakeOver(channel, oursTls(context), tls, peer, env),
  };
  return {
    ...engine,
    get handshakes() {
      return { client: limiters.client.counts, server: limiters.server.counts };
    },
  };
}

function ours(channel: TcpChannel): NativeChannel {
  if (channel instanceof NativeChannel) return channel;
  throw new ChannelError('io', 'the native engine cannot secure a channel of another engine');
}

function oursTls(context: TlsContext): NativeTlsContext {
  if (context instanceof NativeTlsContext) return context;
  throw new ChannelError('io', 'the TLS context was made by another engine');
}
