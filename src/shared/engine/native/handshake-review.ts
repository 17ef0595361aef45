import type { Clock } from '../../lifecycle/clock.ts';
import type { ChainVerifier } from '../../native/handshake-callbacks.ts';
import type { PresentedChain } from '../../native/presented-chain.ts';
import { type TlsOutcome, TlsSessionHandle, type TlsWire } from '../../native/tls-session-handle.ts';
import type { ChannelError, SocketEndpoint } from '../channel.ts';
import type { TlsOptions } from '../engine.ts';
import { handshakeError } from '../handshake-error.ts';
import {
  checkHandshake,
  type HandshakeFacts,
  type PeerCertificate,
  peerCertificateOf,
  verifyValidity,
} from '../peer-certificate.ts';
import { transportError } from './native-error.ts';
import type { NativeTlsContext } from './tls-context.ts';

export interface ReviewedHandshake {
  readonly role: 'client' | 'server';
  readonly context: NativeTlsContext;
  readonly options: TlsOptions;
  readonly peer: SocketEndpoint;
  readonly clock: Clock;
}

/** What one handshake asks of the peer and what it finds, whatever its bytes travel in. */
export class HandshakeReview implements ChainVerifier {
  readonly #of: ReviewedHandshake;
  #trustedPeer: PeerCertificate | undefined;

  constructor(of: ReviewedHandshake) {
    this.#of = of;
  }

  /** Throws where we have nothing valid to show, or OpenSSL has no memory. */
  begin(wire: TlsWire): TlsSessionHandle {
    const { clock, context, options, role } = this.#of;
    verifyValidity('our own certificate', context.notBefore, context.notAfter, clock.now());
    return new TlsSessionHandle(context.handle, wire, {
      isServer: role === 'server',
      alpn: options.alpn,
      verifyPeer: options.verifyPeer,
      verifier: this,
      serverName: options.server?.serverName,
    });
  }

  trusts(chain: PresentedChain): boolean {
    const { clock, context, role } = this.#of;
    this.#trustedPeer = context.trustedPeers.trusted(role, chain, clock.now());
    return this.#trustedPeer !== undefined;
  }

  /** Of a session whose handshake is done. Throws where the peer is not who it should be. */
  facts(session: TlsSessionHandle): HandshakeFacts {
    const { clock, options } = this.#of;
    const readings = {
      alpn: session.alpn,
      tlsVersion: session.version,
      keyExchangeGroup: session.group,
      peer: this.#trustedPeer ?? presentedBy(session),
      verifyError: session.verifyError(),
    };
    return checkHandshake(readings, options, clock.now());
  }

  /** Why a step failed. */
  failure(outcome: TlsOutcome, session: TlsSessionHandle): ChannelError {
    return this.explained(this.#reason(outcome, session));
  }

  explained(error: unknown): ChannelError {
    return handshakeError(error, this.#of.role, this.#of.peer);
  }

  #reason(outcome: TlsOutcome, session: TlsSessionHandle): Error {
    const verdict = session.verifyError();
    if (verdict !== undefined) return new Error(`the peer's certificate is not trusted: ${verdict}`);
    if (typeof outcome === 'object') {
      if (outcome.kind === 'protocol' && outcome.text !== '' && !outcome.text.includes('unexpected eof'))
        return new Error(outcome.text);
      if (outcome.errno > 0) return transportError(outcome, 'connection with', this.#of.peer);
    }
    return closedDuringHandshake();
  }
}

export function closedDuringHandshake(): Error {
  return new Error('the peer closed the connection during the handshake');
}

function presentedBy(session: TlsSessionHandle): PeerCertificate | undefined {
  const der = session.peerCertificate();
  return der === undefined ? undefined : peerCertificateOf(der);
}
