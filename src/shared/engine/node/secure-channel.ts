import type { TLSSocket } from 'node:tls';
import type { SecureChannel } from '../engine.ts';
import type { HandshakeFacts } from '../peer-certificate.ts';
import { type ChannelContext, NodeChannel, type SocketTransport } from './node-channel.ts';
import { readIntoBuffer } from './node-internals.ts';
import { sharedSecureReadBuffer } from './shared-read-buffer.ts';

export class NodeSecureChannel extends NodeChannel implements SecureChannel {
  readonly alpn: string;
  readonly peerLeaf: Buffer;
  readonly peerUris: readonly string[];
  readonly peerNotAfter: number;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;

  constructor(
    socket: TLSSocket,
    transport: SocketTransport,
    context: ChannelContext,
    readsAreOwned: boolean,
    facts: HandshakeFacts,
  ) {
    super(socket, transport, context, readsAreOwned);
    // OpenSSL errors after the handshake come as this event on a socket that no `tls.Server` owns.
    socket.on('_tlsError', (error: Error) => socket.destroy(error));
    this.alpn = facts.alpn;
    this.peerLeaf = facts.peerLeaf;
    this.peerUris = facts.peerUris;
    this.peerNotAfter = facts.peerNotAfter;
    this.tlsVersion = facts.tlsVersion;
    this.keyExchangeGroup = facts.keyExchangeGroup;
  }
}

/** A channel over a socket whose handshake has just been finished, and which nothing has been read from. */
export function createSecureChannel(
  socket: TLSSocket,
  transport: SocketTransport,
  context: ChannelContext,
  facts: HandshakeFacts,
): NodeSecureChannel {
  const buffer = sharedSecureReadBuffer();
  let channel: NodeSecureChannel | undefined;
  const onRead = (bytes: number): boolean => {
    channel?.deliver(buffer.subarray(0, bytes));
    return true;
  };
  const isShared = socket.readableLength === 0 && readIntoBuffer(socket, buffer, onRead);
  return (channel = new NodeSecureChannel(socket, transport, context, !isShared, facts));
}
