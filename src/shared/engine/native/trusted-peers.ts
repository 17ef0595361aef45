import type { PresentedChain } from '../../native/presented-chain.ts';
import { knownPeer, type PeerCertificate, peerCertificateOf } from '../peer-certificate.ts';

type Chain = Pick<PresentedChain, 'leaf' | 'verify' | 'verified' | 'accept'>;

/** Wall clock, ms: what all certificates of a chain have in common. */
interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * Peers whose chain was verified against one trust bundle. Whether a leaf chains to it does not change while the chain is
 * valid, so it is verified once; that the peer has the leaf's key is proven in each handshake. By the bytes of the whole
 * leaf, and for each role apart, since a certificate may be good for one alone. As bounded as the certificates that are
 * remembered at all.
 */
export class TrustedPeers {
  readonly #validities = {
    client: new WeakMap<PeerCertificate, Validity>(),
    server: new WeakMap<PeerCertificate, Validity>(),
  };

  /** `role` is our own. @returns the peer, or undefined where it is not trusted: the chain says why */
  trusted(role: 'client' | 'server', chain: Chain, nowMs: number): PeerCertificate | undefined {
    const validities = this.#validities[role];
    const known = knownPeer(chain.leaf);
    const validity = known && validities.get(known);
    if (validity !== undefined && validity.notBefore <= nowMs && nowMs < validity.notAfter) {
      chain.accept();
      return known;
    }
    if (!chain.verify()) return undefined;
    const certificates = chain.verified.map(peerCertificateOf);
    const [peer] = certificates;
    if (peer === undefined) throw new Error('a chain without certificates was verified');
    validities.set(peer, {
      notBefore: Math.max(...certificates.map(c => c.notBefore)),
      notAfter: Math.min(...certificates.map(c => c.notAfter)),
    });
    return peer;
  }
}
