import type { CancelSignal } from '../lifecycle/cancellation.ts';
import type { ByteChannel, SocketEndpoint } from './channel.ts';
import type { CongestionPolicy } from './congestion-policy.ts';

/**
 * What makes byte channels: `node` (portable) here, `native` later. All sockets are handed over as file descriptors
 * where they were made in another network namespace or with special options (`#shared/native/`).
 */
export interface Engine {
  readonly name: 'node' | 'native';

  /** Starts accepting. A listener never stops because one accept or handler failed. */
  listen(target: ListenTarget, onAccept: (channel: TcpChannel) => void): Promise<Listener>;

  /** Rejects with a `ChannelError` (`connect_refused`, `connect_timeout`, `unreachable`, `aborted`). */
  connect(target: ConnectTarget, signal?: CancelSignal): Promise<TcpChannel>;

  /**
   * TLS over an accepted channel. Nothing of the peer is trusted before the promise resolves: the chain is verified
   * against the context's trust bundle and both certificates' validity is checked against the clock.
   * Rejects with `tls_handshake` or `timeout`; the TCP channel is closed then.
   * The few bytes that may have been written to the channel go out before the handshake.
   */
  secureServer(channel: TcpChannel, context: TlsContext, options: TlsOptions): Promise<SecureChannel>;
  secureClient(channel: TcpChannel, context: TlsContext, options: TlsOptions): Promise<SecureChannel>;

  /**
   * As `secureClient`, with the records in any byte channel (a tunnel), which belongs to the new one from here on.
   * @param peer who is at its other end, for messages and as whose handshakes are counted
   */
  secureClientOver(
    channel: ByteChannel,
    context: TlsContext,
    options: TlsOptions,
    peer: SocketEndpoint,
  ): Promise<SecureChannel>;

  /**
   * Runs a function at the end of the turn of the loop, behind the sending of what was written in it. Missing: the engine cannot
   * say when that is.
   */
  readonly defer?: (fn: () => void) => void;

  /** Parses and checks the PEM material once; handshakes then share it. Throws `ChannelError` when it does not parse. */
  createTlsContext(material: TlsMaterial): TlsContext;

  /**
   * As `createTlsContext`, for a client of servers outside the mesh (`TlsOptions.server`): TLS 1.2 and 1.3, and no identity of
   * its own unless one is given.
   */
  createForeignTlsContext(material: ForeignTlsMaterial): TlsContext;
}

export type ListenTarget = (
  | { readonly fd: number }
  | {
      readonly ip: string;
      readonly port: number;
      readonly backlog?: number;
      /** SO_REUSEPORT: several threads listen on one address, each with a socket of its own. */
      readonly reusePort?: boolean;
    }
) & {
  /**
   * Accepted channels read into memory they share (`readsAreOwned` false): better in plaintext, for small messages and bulk.
   * Not for channels that are secured after, which read through TLS.
   */
  readonly sharedReads?: boolean;
  /** Of what is accepted. The native engine alone goes by it. */
  readonly congestion?: CongestionPolicy | undefined;
};

export interface ConnectTarget {
  readonly remote: SocketEndpoint;
  readonly timeoutMs: number;
  /** A socket made beforehand (mark, source address, network namespace set); the engine owns it from here on. */
  readonly fd?: number;
  readonly local?: SocketEndpoint;
  /** In place of the engine's. */
  readonly keepalive?: Keepalive | undefined;
  /** The native engine alone goes by it. */
  readonly congestion?: CongestionPolicy | undefined;
}

/** tcp(7). Undefined: the engine's, 180 s, every 180 s, 9 probes. */
export interface Keepalive {
  readonly idleSeconds: number | undefined;
  readonly intervalSeconds: number | undefined;
  readonly probes: number | undefined;
}

export interface Listener {
  readonly address: SocketEndpoint;
  /** Stops accepting; accepted channels live on. Resolves when the listening socket is closed. */
  close(): Promise<void>;
}

export interface TcpChannel extends ByteChannel {
  /** For `getsockopt` and socket options only; -1 once closed. */
  readonly fd: number;
}

export interface SecureChannel extends ByteChannel {
  readonly alpn: string;
  /** DER of the verified peer chain, leaf first. */
  readonly peerLeaf: Buffer;
  /** URI subject alternative names of the peer's leaf, in order. */
  readonly peerUris: readonly string[];
  /** Wall clock (ms) at which the peer's leaf expires. */
  readonly peerNotAfter: number;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;
}

export interface TlsMaterial {
  /** PEM, leaf first, then intermediates. */
  readonly certChainPem: string;
  /** PEM, PKCS#8. */
  readonly privateKeyPem: string;
  /** PEM, every root that is trusted now (two of them while a root is being rotated). */
  readonly trustBundlePem: string;
}

export interface ForeignTlsMaterial {
  /** PEM. Undefined: the authorities that the machine trusts, or the runtime's where it has none. */
  readonly trustedRootsPem: string | undefined;
  /** PEM. Not empty: every certificate of a server's chain is looked up, and refused where no list says anything about it. */
  readonly revocationListsPem: string;
  /** Shown to servers that ask for one. */
  readonly client: Pick<TlsMaterial, 'certChainPem' | 'privateKeyPem'> | undefined;
}

/** Opaque: made by `createTlsContext` and understood by the engine that made it. */
export interface TlsContext {
  readonly notAfter: number;
  readonly notBefore: number;
}

export interface TlsOptions {
  readonly alpn: readonly string[];
  readonly timeoutMs: number;
  /**
   * True: the peer must present a certificate that chains to the bundle. False: a server that accepts anonymous clients, or a
   * client that takes whatever server answers.
   */
  readonly verifyPeer: boolean;
  /** With a context of `createForeignTlsContext`. */
  readonly server?: ForeignServer;
}

/** A server that is known by the names in its certificate. It may choose no protocol at all (`alpn` is '' then). */
export interface ForeignServer {
  /** Told to the server (SNI). Undefined: nothing is; an IP address is no such name (RFC 6066 §3). */
  readonly serverName: string | undefined;
  /** One of them must be in the certificate: a DNS name, an IP address, or a URI. Empty: whoever the authorities know. */
  readonly names: readonly string[];
}
