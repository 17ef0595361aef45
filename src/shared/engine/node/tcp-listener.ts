import { createServer, type Server, type Socket } from 'node:net';
import type { Listener, ListenTarget, TcpChannel } from '../engine.ts';
import type { ChannelContext } from './node-channel.ts';
import { channelErrorFrom } from '../transport-error.ts';
import { canonicalEndpoint } from './socket-endpoint.ts';
import { ChannelError } from '../channel.ts';
import { readIntoBuffer } from './node-internals.ts';
import { sharedReadBuffer } from './shared-read-buffer.ts';
import { applyKeepAlive, READABLE_HIGH_WATER_BYTES } from './socket-options.ts';
import { NodeTcpChannel } from './tcp-channel.ts';

const DEFAULT_BACKLOG = 1024;

/** Starts accepting; `onError` hears of accepts and handlers that failed, which never stop the listener. */
export async function listenTcp(
  target: ListenTarget,
  context: ChannelContext,
  onAccept: (channel: TcpChannel) => void,
  onError: (error: ChannelError) => void,
): Promise<Listener> {
  const server = createServer({
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay: true,
    highWaterMark: READABLE_HIGH_WATER_BYTES,
  });
  const sharesReads = target.sharedReads === true;
  server.on('connection', socket => accept(socket, sharesReads, context, onAccept, onError));
  await startListening(server, target);
  const address = listeningAddress(server);
  // Reported per failed accept (EMFILE and the like): libuv goes on accepting by itself.
  server.on('error', error => onError(channelErrorFrom(error, 'accept on', address)));
  return { address, close: () => closeServer(server) };
}

function accept(
  socket: Socket,
  sharesReads: boolean,
  context: ChannelContext,
  onAccept: (channel: TcpChannel) => void,
  onError: (error: ChannelError) => void,
): void {
  applyKeepAlive(socket);
  const channel = makeChannel(socket, sharesReads, context);
  try {
    onAccept(channel);
  } catch (error) {
    const reason = channelErrorFrom(error, 'handler of connection from', channel.remoteAddress);
    channel.abort(reason);
    onError(reason);
  }
}

function makeChannel(socket: Socket, sharesReads: boolean, context: ChannelContext): NodeTcpChannel {
  if (!sharesReads) return new NodeTcpChannel(socket, context, true);
  const buffer = sharedReadBuffer();
  let channel: NodeTcpChannel | undefined;
  const shared = readIntoBuffer(socket, buffer, bytes => {
    channel?.deliver(buffer.subarray(0, bytes));
    return true;
  });
  return (channel = new NodeTcpChannel(socket, context, !shared));
}

function startListening(server: Server, target: ListenTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const where = 'fd' in target ? { ip: `fd ${target.fd}`, port: 0 } : target;
    const onError = (error: Error): void => reject(channelErrorFrom(error, 'listen on', where));
    server.once('error', onError);
    const onListening = (): void => {
      server.off('error', onError);
      resolve();
    };
    if ('fd' in target) server.listen({ fd: target.fd }, onListening);
    else {
      const backlog = target.backlog ?? DEFAULT_BACKLOG;
      const reusePort = target.reusePort ?? false;
      server.listen({ host: target.ip, port: target.port, backlog, reusePort }, onListening);
    }
  });
}

function listeningAddress(server: Server): Listener['address'] {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new ChannelError('io', 'the listening descriptor is not an IP socket');
  return canonicalEndpoint(address.address, address.port);
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    // Resolves with the listening socket, not with the last connection: those live on.
    server.close();
    setImmediate(resolve);
  });
}
