import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { SecureChannel } from '../engine.ts';
import { type ChannelContext, NodeChannel } from './node-channel.ts';

/** What the handshake established, read once: the certificate objects need not live as long as the connection. */
export interface HandshakeFacts {
  readonly alpn: string;
  readonly peerLeaf: Buffer;
  readonly peerUris: readonly string[];
  readonly peerNotAfter: number;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;
}

export class NodeSecureChannel extends NodeChannel implements SecureChannel {
  readonly alpn: string;
  readonly peerLeaf: Buffer;
  readonly peerUris: readonly string[];
  readonly peerNotAfter: number;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;

  constructor(socket: TLSSocket, transport: Socket, context: ChannelContext, facts: HandshakeFacts) {
    super(socket, transport, context, true);
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
