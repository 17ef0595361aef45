import { ChannelError } from '../engine/channel.ts';
import { getHeader, type HeaderList } from '../http/headers.ts';
import { ErrorCode } from '../http2/error-code.ts';
import type { Http2Stream, StreamReset } from '../http2/stream.ts';
import { formatHostPort } from '../workload/ip.ts';
import { isLimitReached } from './limit-reached.ts';
import { ConnectRefusedError, type HboneTunnel } from './hbone-target.ts';
import { TunnelChannel, type TunnelEnds } from './tunnel-channel.ts';
import type { RequestHolder, TunnelRequest } from './tunnel-request.ts';

/** What a tunnel asks of the session that carries it. */
export interface TunnelSession {
  /** It takes new tunnels. */
  readonly isReady: boolean;
}

/** A CONNECT stream of ours; until the peer answers it belongs to its request, then to whoever asked. */
export class ClientTunnel extends TunnelChannel implements HboneTunnel, RequestHolder {
  readonly peerIdentity: string;
  readonly #session: TunnelSession;
  readonly #onUnsent: (request: TunnelRequest, error: ChannelError) => void;
  #request: TunnelRequest | undefined;
  #stream: Http2Stream | undefined;

  /** `onUnsent`: the stream ended without an answer and may be tried on another session. */
  constructor(
    ends: TunnelEnds,
    peerIdentity: string,
    session: TunnelSession,
    request: TunnelRequest,
    onUnsent: (request: TunnelRequest, error: ChannelError) => void,
  ) {
    super(ends);
    this.peerIdentity = peerIdentity;
    this.#session = session;
    this.#request = request;
    this.#onUnsent = onUnsent;
  }

  get isRetiring(): boolean {
    return !this.#session.isReady;
  }

  override attach(stream: Http2Stream): void {
    super.attach(stream);
    this.#stream = stream;
    if (this.#request !== undefined) this.#request.holder = this;
  }

  onCancel(): void {
    this.#request = undefined;
    this.#stream?.reset(ErrorCode.CANCEL);
  }

  override onHeaders(fields: HeaderList, endStream: boolean): void {
    const request = this.#request;
    const status = Number(getHeader(fields, ':status'));
    if (request === undefined || status < 200) return;
    this.#request = undefined;
    request.holder = undefined;
    if (status < 300) {
      request.resolve(this);
      return;
    }
    if (!endStream) this.#stream?.reset(ErrorCode.CANCEL);
    request.reject(refusal(status, isLimitReached(fields), request));
  }

  override onReset(reset: StreamReset): void {
    const request = this.#request;
    if (request === undefined) {
      super.onReset(reset);
      return;
    }
    this.#request = undefined;
    request.holder = undefined;
    const error = new ChannelError('reset', `${where(request)} ended before its answer: ${reset.message}`);
    // No byte of the application has been sent: at worst the far side dialled its application for nothing.
    if (reset.unprocessed || reset.origin === 'connection') this.#onUnsent(request, error);
    else request.reject(error);
  }
}

function where({ target }: TunnelRequest): string {
  return `HBONE tunnel to ${formatHostPort(target.request.host, target.request.port)} via ${formatHostPort(target.remote.ip, target.remote.port)}`;
}

function refusal(status: number, limitReached: boolean, request: TunnelRequest): ConnectRefusedError {
  const meaning = limitReached ? 'it has as many connections there as it may' : meaningOf(status);
  return new ConnectRefusedError(status, `${where(request)} refused with ${status}: ${meaning}`);
}

function meaningOf(status: number): string {
  if (status === 401 || status === 403) return 'denied by policy there';
  return status === 503 ? 'its application could not be reached' : 'not for this workload, or malformed';
}
