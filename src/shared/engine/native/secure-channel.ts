import type { TlsSessionHandle } from '../../native/tls-session-handle.ts';
import type { SocketEndpoint } from '../channel.ts';
import type { SecureChannel } from '../engine.ts';
import type { HandshakeFacts } from '../peer-certificate.ts';
import { NativeChannel, type ReleasedSocket } from './native-channel.ts';
import type { NativeThread } from './native-thread.ts';
import { TlsTransport } from './transport.ts';

/** A connection whose handshake is done. */
export class NativeSecureChannel extends NativeChannel implements SecureChannel {
  readonly alpn: string;
  readonly peerLeaf: Buffer;
  readonly peerUris: readonly string[];
  readonly peerNotAfter: number;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;

  constructor(
    thread: NativeThread,
    socket: Pick<ReleasedSocket, 'fd' | 'watch' | 'local'>,
    remote: SocketEndpoint,
    session: TlsSessionHandle,
    facts: HandshakeFacts,
  ) {
    super(
      thread,
      socket.fd,
      socket.watch,
      remote,
      new TlsTransport(socket.fd, session, thread),
      socket.local,
    );
    this.alpn = facts.alpn;
    this.peerLeaf = facts.peerLeaf;
    this.peerUris = facts.peerUris;
    this.peerNotAfter = facts.peerNotAfter;
    this.tlsVersion = facts.tlsVersion;
    this.keyExchangeGroup = facts.keyExchangeGroup;
  }
}
