import { errorMessage } from '../observability/error-message.ts';
import { ChannelError } from '../engine/channel.ts';
import type { SecureChannel } from '../engine/engine.ts';
import { Http2Connection } from '../http2/connection.ts';
import { ErrorCode } from '../http2/error-code.ts';
import type { Timer } from '../lifecycle/clock.ts';
import { peerIdentity } from '../spiffe/svid.ts';
import { formatHostPort } from '../workload/ip.ts';
import { ClientTunnel } from './client-tunnel.ts';
import { connectRequestFields } from './connect-request.ts';
import type { HboneTarget } from './hbone-target.ts';
import type { HbonePoolOptions, HboneSessionInfo } from './pool-options.ts';
import type { TunnelRequest } from './tunnel-request.ts';
import { tunnelOptions } from './tunnel-options.ts';

/** With the defaults filled in. */
export interface SessionLimits {
  readonly maxStreams: number;
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

export interface SessionEvents {
  /** The handshake is done and the peer is who it should be, or the session has room again. */
  onCapacity(session: HboneSession): void;
  /** Exactly once, and last. `wasReady` false: it never came about, `error` says why. */
  onClose(session: HboneSession, error: ChannelError | undefined, wasReady: boolean): void;
  onUnsent(request: TunnelRequest, error: ChannelError): void;
}

/**
 * `connecting`: certificate, dial, handshake and identity check are under way; nothing is sent. `ready`: takes streams.
 * `draining`: GOAWAY of either side, or evicted; open streams end in their time. `closed`: for good.
 */
type State =
  | { readonly kind: 'connecting'; readonly attempt: AbortController; readonly deadline: Timer }
  | (Live & { readonly kind: 'ready' | 'draining' })
  | { readonly kind: 'closed' };

interface Live {
  readonly channel: SecureChannel;
  readonly connection: Http2Connection;
  readonly peerIdentity: string;
}

const ALPN = ['h2'];

/** One HBONE connection of a pool, from its first byte to its last. */
export class HboneSession {
  readonly #target: HboneTarget;
  readonly #options: HbonePoolOptions;
  readonly #limits: SessionLimits;
  readonly #events: SessionEvents;
  #state: State;
  #idleTimer: Timer | undefined;
  #isCounted = true;

  /** Begins to connect. */
  constructor(target: HboneTarget, options: HbonePoolOptions, limits: SessionLimits, events: SessionEvents) {
    this.#target = target;
    this.#options = options;
    this.#limits = limits;
    this.#events = events;
    const attempt = new AbortController();
    const deadline = options.clock.setTimer(limits.connectTimeoutMs, () =>
      this.#fail(
        new ChannelError('connect_timeout', `${this.#name}: no session in ${limits.connectTimeoutMs} ms`),
      ),
    );
    this.#state = { kind: 'connecting', attempt, deadline };
    options.sessions?.opened();
    void this.#connect(attempt.signal);
  }

  get isConnecting(): boolean {
    return this.#state.kind === 'connecting';
  }

  get isReady(): boolean {
    return this.#state.kind === 'ready';
  }

  /** It takes streams, and carries none. */
  get isIdle(): boolean {
    return this.#state.kind === 'ready' && this.#state.connection.openStreams === 0;
  }

  get hasCapacity(): boolean {
    const state = this.#state;
    if (state.kind !== 'ready') return false;
    return state.connection.canOpenStream && state.connection.openStreams < this.#limits.maxStreams;
  }

  /** Sends the CONNECT. @returns false when the session takes no stream; nothing was sent then. */
  open(request: TunnelRequest): boolean {
    const state = this.#state;
    if (state.kind !== 'ready' || !this.hasCapacity) return false;
    const tunnel = new ClientTunnel(state.channel, state.peerIdentity, this, request, this.#onUnsent);
    const stream = state.connection.openStream(connectRequestFields(request.target.request), false, tunnel);
    if (stream === undefined) return false;
    tunnel.attach(stream);
    return true;
  }

  /** No new streams; closes after the last one. A session that is still connecting is given up. */
  retire(reason: ChannelError): void {
    const state = this.#state;
    if (state.kind === 'connecting') this.#fail(reason);
    if (state.kind !== 'ready') return;
    if (this.isIdle) this.#giveBack();
    this.#state = { ...state, kind: 'draining' };
    state.connection.drain();
  }

  /** Ends it and its tunnels at once. */
  close(reason: ChannelError): void {
    const state = this.#state;
    if (state.kind === 'connecting') this.#fail(reason);
    else if (state.kind !== 'closed') {
      const isOrderly = reason.code === 'drain' || reason.code === 'aborted';
      state.connection.close(isOrderly ? ErrorCode.NO_ERROR : ErrorCode.CANCEL, reason.message);
    }
  }

  /** Undefined once closed. */
  get info(): HboneSessionInfo | undefined {
    const state = this.#state;
    if (state.kind === 'closed') return undefined;
    const live = state.kind === 'connecting' ? undefined : state;
    return {
      sourceIdentity: this.#target.sourceIdentity,
      peerIdentity: live?.peerIdentity ?? '',
      remote: this.#target.remote,
      workloadUid: this.#target.workloadUid,
      state: state.kind,
      openStreams: live?.connection.openStreams ?? 0,
      openedTotal: live?.connection.openedTotal ?? 0,
    };
  }

  get #name(): string {
    const { ip, port } = this.#target.remote;
    return `HBONE session with ${formatHostPort(ip, port)}`;
  }

  readonly #onUnsent = (request: TunnelRequest, error: ChannelError): void => {
    this.#events.onUnsent(request, error);
  };

  async #connect(signal: AbortSignal): Promise<void> {
    try {
      const context = await this.#options.tlsContext(this.#target.sourceIdentity, signal);
      signal.throwIfAborted();
      const tcp = await this.#options.dial(this.#target.remote, signal);
      const channel = await this.#options.engine.secureClient(tcp, context, {
        alpn: ALPN,
        timeoutMs: this.#limits.connectTimeoutMs,
        verifyPeer: true,
      });
      this.#onSecured(channel);
    } catch (error) {
      this.#fail(this.#connectError(error));
    }
  }

  #onSecured(channel: SecureChannel): void {
    const state = this.#state;
    const fault = state.kind === 'connecting' ? this.#peerFault(channel) : 'the session was given up';
    if (state.kind !== 'connecting' || fault !== undefined) {
      const error = new ChannelError('tls_handshake', `${this.#name} refused: ${fault}`);
      channel.abort(error);
      this.#fail(error);
      return;
    }
    state.deadline.cancel();
    const connection = new Http2Connection(
      'client',
      channel,
      this.#options.clock,
      tunnelOptions(this.#options.http2),
      {
        onStream: () => {
          throw new Error('servers of HBONE open no streams');
        },
        onGoaway: () => this.#onGoaway(),
        onCapacity: () => this.#events.onCapacity(this),
        onClose: error => this.#closed(error, true),
      },
    );
    const [peer = ''] = channel.peerUris;
    this.#state = { kind: 'ready', channel, connection, peerIdentity: peer };
    this.#watchIdle(this.#limits.idleTimeoutMs);
    this.#events.onCapacity(this);
  }

  #peerFault(channel: SecureChannel): string | undefined {
    const identity = peerIdentity(channel.peerUris);
    if (!identity.ok) return identity.reason;
    const expected = this.#target.destinationIdentities;
    if (expected.includes(identity.id)) return undefined;
    return `the peer proved to be ${identity.id}, expected ${expected.join(' or ')}; has its IP address been reused?`;
  }

  #connectError(error: unknown): ChannelError {
    if (error instanceof ChannelError) return error;
    const text = errorMessage(error);
    return new ChannelError('io', `${this.#name} failed: ${text}`, { cause: error });
  }

  #onGoaway(): void {
    const state = this.#state;
    if (state.kind === 'ready') this.#state = { ...state, kind: 'draining' };
  }

  /** One timer per session and period, whatever the number of streams. */
  #watchIdle(afterMs: number): void {
    this.#idleTimer = this.#options.clock.setTimer(afterMs, () => {
      const state = this.#state;
      if (state.kind !== 'ready') return;
      const { connection } = state;
      const idleMs = this.#options.clock.monotonic() - connection.idleSinceMs;
      if (connection.openStreams > 0) this.#watchIdle(this.#limits.idleTimeoutMs);
      else if (idleMs < this.#limits.idleTimeoutMs) this.#watchIdle(this.#limits.idleTimeoutMs - idleMs);
      else this.retire(new ChannelError('drain', 'idle'));
    });
  }

  /** One that is on its way out and carries nothing counts no more: several that become idle at once are not all closed. */
  #giveBack(): void {
    if (this.#isCounted) this.#options.sessions?.closed();
    this.#isCounted = false;
  }

  /** Ends a session that never was ready. */
  #fail(error: ChannelError): void {
    const state = this.#state;
    if (state.kind !== 'connecting') return;
    state.deadline.cancel();
    this.#closed(error, false);
    state.attempt.abort(error);
  }

  #closed(error: ChannelError | undefined, wasReady: boolean): void {
    if (this.#state.kind === 'closed') return;
    this.#state = { kind: 'closed' };
    this.#idleTimer?.cancel();
    this.#giveBack();
    this.#events.onClose(this, error, wasReady);
  }
}
