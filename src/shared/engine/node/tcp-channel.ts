import type { Socket } from 'node:net';
import type { TcpChannel } from '../engine.ts';
import { type ChannelContext, NodeChannel } from './node-channel.ts';
import { socketFd } from './node-internals.ts';

/** A plain connection. */
export class NodeTcpChannel extends NodeChannel implements TcpChannel {
  constructor(socket: Socket, context: ChannelContext, readsAreOwned: boolean) {
    super(socket, socket, context, readsAreOwned);
  }

  get fd(): number {
    return socketFd(this.socket);
  }
}
