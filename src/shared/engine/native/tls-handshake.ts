import type { Timer } from '../../lifecycle/clock.ts';
import type { ChainVerifier } from '../../native/handshake-callbacks.ts';
import { EpollFlag } from '../../native/platform.ts';
import type { PresentedChain } from '../../native/presented-chain.ts';
import { TlsSessionHandle } from '../../native/tls-session-handle.ts';
import { ChannelError, type SocketEndpoint } from '../channel.ts';
import type { SecureChannel, TlsOptions } from '../engine.ts';
import { handshakeError, handshakeTimedOut, tooManyHandshakes } from '../handshake-error.ts';
import type { HandshakeLimiter } from '../handshake-limiter.ts';
import {
  checkHandshake,
  type PeerCertificate,
  peerCertificateOf,
  verifyValidity,
} from '../peer-certificate.ts';
import type { Pollable } from './event-loop.ts';
import type { HandshakeQueue } from './handshake-queue.ts';
import type { NativeChannel, ReleasedSocket } from './native-channel.ts';
import { transportError } from './native-error.ts';
import type { NativeThread } from './native-thread.ts';
import { NativeSecureChannel } from './secure-channel.ts';
import type { NativeTlsContext } from './tls-context.ts';

export interface HandshakeEnvironment {
  readonly thread: NativeThread;
  readonly limiters: Readonly<Record<'client' | 'server', HandshakeLimiter>>;
  readonly queue: HandshakeQueue;
}

/** The deadline covers the wait for a place as well as the handshake. */
export function handshake(
  role: 'client' | 'server',
  channel: NativeChannel,
  context: NativeTlsContext,
  options: TlsOptions,
  env: HandshakeEnvironment,
): Promise<SecureChannel> {
  return new Promise((resolve, reject) => {
    new Handshake(role, channel, context, options, env, resolve, reject).begin();
  });
}

/** One handshake, from the TCP channel it takes over to the secure channel, or the reason why there is none. */
class Handshake implements Pollable, ChainVerifier {
  readonly #role: 'client' | 'server';
  readonly #context: NativeTlsContext;
  readonly #options: TlsOptions;
  readonly #env: HandshakeEnvironment;
  readonly #resolve: (channel: SecureChannel) => void;
  readonly #reject: (error: ChannelError) => void;
  readonly #peer: SocketEndpoint;
  readonly #socket: ReleasedSocket;
  #session: TlsSessionHandle | undefined;
  #trustedPeer: PeerCertificate | undefined;
  #timer: Timer | undefined;
  #settled = false;
  #queued = false;
  #seenFlags = 0;

  constructor(
    role: 'client' | 'server',
    channel: NativeChannel,
    context: NativeTlsContext,
    options: TlsOptions,
    env: HandshakeEnvironment,
    resolve: (channel: SecureChannel) => void,
    reject: (error: ChannelError) => void,
  ) {
    this.#role = role;
    this.#context = context;
    this.#options = options;
    this.#env = env;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#peer = channel.remoteAddress;
    this.#socket = channel.release(env.thread, this);
    this.#seenFlags = this.#socket.flags;
  }

  begin(): void {
    const { limiters, thread } = this.#env;
    const { timeoutMs } = this.#options;
    if (this.#socket.fd < 0) {
      this.#settled = true;
      const gone = new Error('the connection was closed before the handshake');
      this.#reject(handshakeError(gone, this.#role, this.#peer));
      return;
    }
    this.#timer = thread.clock.setTimer(timeoutMs, () =>
      this.#fail(handshakeTimedOut(timeoutMs, this.#peer)),
    );
    if (!limiters[this.#role].enter(this.#start, this.#peer.ip)) this.#fail(tooManyHandshakes(this.#peer));
  }

  // === for the loop ===

  onReady(flags: number): void {
    this.#seenFlags |= flags;
    // A peer that is gone gives its place back at once, also while it waits for one.
    const isGone = (flags & (EpollFlag.err | EpollFlag.hup)) !== 0;
    if (this.#session !== undefined) this.#enqueue();
    else if (isGone) this.#fail(this.#explained(new Error('the peer closed the connection')));
  }

  onAgain(): void {}

  // === for the session ===

  trusts(chain: PresentedChain): boolean {
    const nowMs = this.#env.thread.clock.now();
    this.#trustedPeer = this.#context.trustedPeers.trusted(this.#role, chain, nowMs);
    return this.#trustedPeer !== undefined;
  }

  // === for the queue ===

  step(): void {
    this.#queued = false;
    const session = this.#session;
    if (this.#settled || session === undefined) return;
    const outcome = session.handshake();
    if (outcome === 'want_read' || outcome === 'want_write') return;
    if (outcome === undefined) this.#finish(session);
    else this.#fail(this.#explained(this.#reason(outcome, session)));
  }

  readonly #start = (): void => {
    const { handle, notAfter, notBefore } = this.#context;
    try {
      verifyValidity('our own certificate', notBefore, notAfter, this.#env.thread.clock.now());
      this.#session = new TlsSessionHandle(handle, this.#socket.fd, {
        isServer: this.#role === 'server',
        alpn: this.#options.alpn,
        verifyPeer: this.#options.verifyPeer,
        verifier: this,
        serverName: this.#options.server?.serverName,
      });
      this.#enqueue();
    } catch (error) {
      this.#fail(this.#explained(error));
    }
  };

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#env.queue.add(this);
  }

  #finish(session: TlsSessionHandle): void {
    try {
      const facts = checkHandshake(
        {
          alpn: session.alpn,
          tlsVersion: session.version,
          keyExchangeGroup: session.group,
          peer: this.#trustedPeer ?? presentedBy(session),
          verifyError: session.verifyError(),
        },
        this.#options,
        this.#env.thread.clock.now(),
      );
      const channel = new NativeSecureChannel(this.#env.thread, this.#socket, this.#peer, session, facts);
      channel.inherit(this.#seenFlags);
      this.#env.thread.loop.handOver(this.#socket.watch, channel);
      this.#settle(true);
      this.#resolve(channel);
    } catch (error) {
      this.#fail(this.#explained(error));
    }
  }

  #reason(outcome: Parameters<typeof transportError>[0] | 'closed', session: TlsSessionHandle): Error {
    const verdict = session.verifyError();
    if (verdict !== undefined) return new Error(`the peer's certificate is not trusted: ${verdict}`);
    const failure = outcome === 'closed' ? { kind: 'syscall' as const, errno: 0, text: '' } : outcome;
    if (failure?.kind === 'protocol' && failure.text !== '' && !failure.text.includes('unexpected eof'))
      return new Error(failure.text);
    if (failure !== undefined && failure.errno > 0)
      return transportError(failure, 'connection with', this.#peer);
    return new Error('the peer closed the connection during the handshake');
  }

  #explained(error: unknown): ChannelError {
    return handshakeError(error, this.#role, this.#peer);
  }

  #fail(error: ChannelError): void {
    if (this.#settled) return;
    this.#settle(false);
    this.#session?.free();
    this.#session = undefined;
    const { thread } = this.#env;
    thread.loop.unwatch(this.#socket.fd, this.#socket.watch);
    thread.close(this.#socket.fd);
    this.#reject(error);
  }

  #settle(ok: boolean): void {
    this.#settled = true;
    this.#timer?.cancel();
    this.#env.limiters[this.#role].leave(this.#start, ok);
  }
}

function presentedBy(session: TlsSessionHandle): PeerCertificate | undefined {
  const der = session.peerCertificate();
  return der === undefined ? undefined : peerCertificateOf(der);
}
