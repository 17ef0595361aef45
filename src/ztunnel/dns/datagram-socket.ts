import { createSocket, type Socket } from 'node:dgram';
import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { closeFd } from '#shared/native/socket.ts';
import type { FamilySocket } from '#shared/native/udp-socket.ts';

export interface DatagramHandler {
  /** The bytes are the receiver's own. */
  onMessage(bytes: Buffer, from: SocketEndpoint): void;
  /** The socket stays open. */
  onError(error: Error): void;
}

/**
 * A UDP socket that was made in another network namespace, driven by the runtime's own loop: the main thread has no other,
 * whichever engine carries connections.
 */
export class DatagramSocket {
  readonly #socket: Socket;
  #closed = false;

  /**
   * Takes the descriptor over, also when it throws.
   * @param remote takes messages of this address alone, and tells of its refusals
   */
  constructor({ fd, family }: FamilySocket, handler: DatagramHandler, remote?: SocketEndpoint) {
    this.#socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      // Only addresses are sent to; without this each takes a turn of the loop to be found one.
      lookup: (hostname, _options, callback) => callback(null, hostname, family),
    });
    this.#socket.on('error', error => {
      if (!this.#closed) handler.onError(error);
    });
    this.#socket.on('message', (bytes, { address: ip, port }) => {
      if (!this.#closed) handler.onMessage(bytes, { ip, port });
    });
    try {
      this.#socket.bind({ fd });
    } catch (cause) {
      closeFd(fd);
      throw cause;
    }
    if (remote !== undefined) this.#socket.connect(remote.port, remote.ip);
  }

  /** Sends to the remote address, and throws where no way leads there. What the kernel does not take is lost, as any datagram may be. */
  send(bytes: Buffer): void {
    if (!this.#closed) this.#socket.send(bytes, ignore);
  }

  sendTo(bytes: Buffer, { ip, port }: SocketEndpoint): void {
    if (!this.#closed) this.#socket.send(bytes, port, ip, ignore);
  }

  /** Idempotent; nothing is heard of it afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

function ignore(): void {}
