import { errnoNow, Errno } from '../../native/errno.ts';
import { accept, acceptedPeer, localEndpoint } from '../../native/stream-socket.ts';
import { bindSocket, listenSocket, openTcpSocket, setIntOption } from '../../native/socket.ts';
import { familyOf } from '../../native/socket-address.ts';
import { ChannelError, type SocketEndpoint } from '../channel.ts';
import type { Listener, ListenTarget, TcpChannel } from '../engine.ts';
import { channelErrorFrom } from '../transport-error.ts';
import { beginCongestionControl, reviewCongestionControl } from './congestion-control.ts';
import type { Pollable, Watch } from './event-loop.ts';
import { NativeChannel } from './native-channel.ts';
import { errnoError } from './native-error.ts';
import type { NativeThread } from './native-thread.ts';
import { applySocketOptions } from './socket-options.ts';
import { TcpTransport } from './transport.ts';

const DEFAULT_BACKLOG = 1024;
/** Accepted in one turn: the rest is told of again in the next one, or taken by another thread. */
const ACCEPT_BATCH = 16;
/** Accepted at once when the listener closes: more than the queue of a socket holds by default. */
const LAST_BATCH = 4096;
/** Out of descriptors or memory: connections that end meanwhile make room, and asking at once would only burn the CPU. */
const EXHAUSTED_PAUSE_MS = 100;

/** Opens the socket where there is none. Throws `ChannelError`. */
export function listenTcp(
  target: ListenTarget,
  thread: NativeThread,
  onAccept: (channel: TcpChannel) => void,
  onError: (error: ChannelError) => void,
): Listener {
  const where = 'fd' in target ? { ip: `fd ${target.fd}`, port: 0 } : target;
  let fd = -1;
  try {
    fd = 'fd' in target ? target.fd : openListener(target);
    const address = localEndpoint(fd);
    if (address === undefined) throw new ChannelError('io', 'the listening descriptor is not an IP socket');
    // Also for a descriptor that came listening already: listen(2) again only sets the backlog.
    listenSocket(fd, ('fd' in target ? undefined : target.backlog) ?? DEFAULT_BACKLOG);
    applySocketOptions(fd);
    beginCongestionControl(fd, target.congestion);
    thread.own(fd);
    const onAccepted = (channel: TcpChannel): void => {
      reviewCongestionControl(channel.fd, target.congestion);
      onAccept(channel);
    };
    const hear = target.congestion === undefined ? onAccept : onAccepted;
    return new TcpListener(fd, address, thread, hear, onError);
  } catch (error) {
    if (fd >= 0) thread.close(fd);
    throw channelErrorFrom(error, 'listen on', where);
  }
}

function openListener(target: Exclude<ListenTarget, { readonly fd: number }>): number {
  const family = familyOf(target.ip);
  const fd = openTcpSocket(family);
  setIntOption(fd, 'reuseAddress', 1);
  if (target.reusePort === true) setIntOption(fd, 'reusePort', 1);
  bindSocket(fd, target);
  return fd;
}

class TcpListener implements Listener, Pollable {
  readonly address: SocketEndpoint;
  readonly #fd: number;
  readonly #thread: NativeThread;
  readonly #onAccept: (channel: TcpChannel) => void;
  readonly #onError: (error: ChannelError) => void;
  #watch: Watch | undefined;
  #closed = false;

  constructor(
    fd: number,
    address: SocketEndpoint,
    thread: NativeThread,
    onAccept: (channel: TcpChannel) => void,
    onError: (error: ChannelError) => void,
  ) {
    this.#fd = fd;
    this.address = address;
    this.#thread = thread;
    this.#onAccept = onAccept;
    this.#onError = onError;
    this.#watch = thread.loop.watchReadable(fd, this);
  }

  /** The kernel resets what is in the queue of a socket that closes: who has connected already is accepted first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    // As near to the close as can be: whoever connects in between is reset.
    if (this.#watch !== undefined) this.#thread.loop.unwatch(this.#fd, this.#watch, true);
    this.#acceptUpTo(LAST_BATCH);
    this.#closed = true;
    this.#thread.close(this.#fd);
  }

  onReady(): void {
    this.#acceptUpTo(ACCEPT_BATCH);
  }

  #acceptUpTo(most: number): void {
    for (let i = 0; i < most && !this.#closed && this.#watch !== undefined; i++) {
      const fd = accept(this.#fd);
      if (fd < 0) return this.#onAcceptFailed(errnoNow());
      this.#accepted(fd);
    }
  }

  onAgain(): void {}

  #accepted(fd: number): void {
    this.#thread.own(fd);
    let channel: NativeChannel | undefined;
    try {
      const remote = acceptedPeer();
      channel = openChannel(this.#thread, fd, remote);
      this.#onAccept(channel);
    } catch (error) {
      const peer = channel?.remoteAddress ?? this.address;
      const reason = channelErrorFrom(error, 'handler of connection from', peer);
      if (channel === undefined) this.#thread.close(fd);
      else channel.abort(reason);
      this.#onError(reason);
    }
  }

  #onAcceptFailed(errno: number): void {
    // Nobody waits (another thread was faster), or who waited has given up.
    if (errno === Errno.EAGAIN || errno === Errno.EINTR || errno === Errno.ECONNABORTED) return;
    this.#onError(errnoError(errno, 'accept4', 'accept on', this.address));
    if (!EXHAUSTED.has(errno) || this.#watch === undefined) return;
    this.#thread.loop.unwatch(this.#fd, this.#watch, true);
    this.#watch = undefined;
    this.#thread.clock.setTimer(EXHAUSTED_PAUSE_MS, () => {
      if (!this.#closed) this.#watch = this.#thread.loop.watchReadable(this.#fd, this);
    });
  }
}

const EXHAUSTED: ReadonlySet<number> = new Set([Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOBUFS]);

/** Has the place in the loop for as long as the channel that needs it is made. */
const NOBODY: Pollable = { onReady() {}, onAgain() {} };

/** A connected socket becomes a channel. The descriptor is the thread's already. */
function openChannel(thread: NativeThread, fd: number, remote: SocketEndpoint): NativeChannel {
  const watch = thread.loop.watchStream(fd, NOBODY);
  const channel = new NativeChannel(thread, fd, watch, remote, new TcpTransport(fd));
  thread.loop.handOver(watch, channel);
  return channel;
}
