import { quoted } from './spiffe-error.ts';
import { isSpiffeId, type SpiffeId, spiffeIdFault } from './spiffe-id.ts';

export type PeerIdentity =
  | { readonly ok: true; readonly id: SpiffeId }
  | { readonly ok: false; readonly reason: string };

/**
 * The identity of a peer whose chain has been verified, from its leaf's URI SANs. X.509-SVID §2: exactly one URI SAN;
 * a certificate with two could be one workload to a log and another to a policy.
 */
export function peerIdentity(uriSans: readonly string[]): PeerIdentity {
  const known = identities.get(uriSans);
  if (known !== undefined) return known;
  const identity = readIdentity(uriSans);
  identities.set(uriSans, identity);
  return identity;
}

/** By the list itself: what is remembered of a certificate has the same for all its connections. */
const identities = new WeakMap<readonly string[], PeerIdentity>();

function readIdentity(uriSans: readonly string[]): PeerIdentity {
  const uri = uriSans[0];
  if (uri === undefined) return { ok: false, reason: 'the peer’s certificate has no URI SAN' };
  if (uriSans.length > 1) {
    return {
      ok: false,
      reason: `the peer’s certificate has ${uriSans.length} URI SANs, exactly one is allowed`,
    };
  }
  if (isSpiffeId(uri)) return { ok: true, id: uri };
  return { ok: false, reason: `the peer’s certificate names ${quoted(uri)}: ${spiffeIdFault(uri)}` };
}
