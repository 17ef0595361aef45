import type { CancelSignal } from '../../lifecycle/cancellation.ts';
import { Socket } from 'node:net';
import type { Clock } from '../../lifecycle/clock.ts';
import { ChannelError } from '../channel.ts';
import type { ConnectTarget, TcpChannel } from '../engine.ts';
import type { ChannelContext } from './node-channel.ts';
import { channelErrorFrom } from '../transport-error.ts';
import { connectAborted, connectTimedOut } from '../connect-error.ts';
import { applyKeepAlive, READABLE_HIGH_WATER_BYTES } from './socket-options.ts';
import { sharedReadBuffer } from './shared-read-buffer.ts';
import { NodeTcpChannel } from './tcp-channel.ts';

export function connectTcp(
  target: ConnectTarget,
  clock: Clock,
  context: ChannelContext,
  signal: CancelSignal | undefined,
): Promise<TcpChannel> {
  return new Promise((resolve, reject) => {
    let channel: NodeTcpChannel | undefined;
    // First of all: a descriptor that came with the target belongs to it from here on, whatever happens.
    const socket = makeSocket(target, slice => channel?.deliver(slice));
    if (signal?.aborted === true) {
      socket.destroy();
      reject(connectAborted(target));
      return;
    }
    const settle = (error: ChannelError | undefined): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      if (error === undefined) {
        applyKeepAlive(socket, target.keepalive);
        channel = new NodeTcpChannel(socket, context, false);
        resolve(channel);
      } else {
        socket.on('error', ignore);
        socket.destroy();
        reject(error);
      }
    };
    const onError = (error: Error): void => settle(channelErrorFrom(error, 'connect to', target.remote));
    const onAbort = (): void => settle(connectAborted(target));
    const timer = clock.setTimer(target.timeoutMs, () => settle(connectTimedOut(target)));
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', onError);
    socket.connect(connectOptions(target), () => settle(undefined));
  });
}

function makeSocket(target: ConnectTarget, onRead: (slice: Buffer) => void): Socket {
  const buffer = sharedReadBuffer();
  const callback = (bytes: number): boolean => {
    onRead(buffer.subarray(0, bytes));
    return true;
  };
  const options = {
    allowHalfOpen: true,
    noDelay: true,
    highWaterMark: READABLE_HIGH_WATER_BYTES,
    onread: { buffer, callback },
  };
  const socket = new Socket(target.fd === undefined ? options : { ...options, fd: target.fd });
  // Nothing is read before the channel has a handler.
  socket.pause();
  return socket;
}

function connectOptions(target: ConnectTarget): {
  host: string;
  port: number;
  localAddress?: string;
  localPort?: number;
} {
  const to = { host: target.remote.ip, port: target.remote.port };
  return target.local === undefined
    ? to
    : { ...to, localAddress: target.local.ip, localPort: target.local.port };
}

function ignore(): void {}
