import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine, TcpChannel } from '#shared/engine/engine.ts';
import { openOutgoingSocket } from '#shared/native/socket-factory.ts';
import { openOutgoingUdpSocket } from '#shared/native/udp-socket.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { DatagramSocket } from './datagram-socket.ts';
import type { Try, TryHandler } from './exchange.ts';
import { framed, MessageReader } from './message-reader.ts';

const CONNECT_TIMEOUT_MS = 2_000;

/**
 * Asks from within a pod's namespace, so that policies of the network see the pod's own address. The socket, and with it the
 * port that the kernel draws for it, is of this try alone, and takes messages of this server alone. Throws `SystemCallError`.
 */
export function askOverUdp(netnsFd: number, server: SocketEndpoint, bytes: Buffer, handler: TryHandler): Try {
  const socket = new DatagramSocket(
    openOutgoingUdpSocket(netnsFd, server.ip),
    {
      onMessage: answer => handler.onMessage(answer),
      onError: error => handler.onFailure(error.message),
    },
    server,
  );
  try {
    socket.send(bytes);
  } catch (cause) {
    socket.close();
    throw cause;
  }
  return socket;
}

/** As `askOverUdp`, over a connection of its own. */
export function askOverTcp(
  engine: Engine,
  netnsFd: number,
  server: SocketEndpoint,
  bytes: Buffer,
  handler: TryHandler,
): Try {
  const given = new AbortController();
  let channel: TcpChannel | undefined;
  const fd = openOutgoingSocket({ netnsFd, remoteIp: server.ip });
  engine.connect({ remote: server, timeoutMs: CONNECT_TIMEOUT_MS, fd }, given.signal).then(
    connected => {
      channel = connected;
      const reader = new MessageReader();
      const isOver = 'the name server ended the connection';
      connected.setHandler({
        onData: slice => reader.push(slice).forEach(message => handler.onMessage(message)),
        onEnd: () => handler.onFailure(isOver),
        onDrain: () => undefined,
        onClose: error => handler.onFailure(error?.message ?? isOver),
      });
      connected.write(framed(bytes));
    },
    (error: unknown) => handler.onFailure(errorMessage(error)),
  );
  return {
    close: () => {
      given.abort();
      channel?.abort(new ChannelError('aborted', 'the answer is there, or nobody waits for it'));
    },
  };
}
