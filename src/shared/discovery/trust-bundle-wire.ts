import { readName, type WireFields } from './wire-fields.ts';

/** What a controller announces of its certificate authority. The receiver still has to parse and check the PEM. */
export interface TrustAnnouncement {
  readonly trustDomain: string;
  readonly rootsPem: string;
  /** Changes with the set of roots and with the certificate that signs leaves. */
  readonly version: string;
}

/** @throws InvalidField */
export function trustAnnouncementFromWire(wire: WireFields): TrustAnnouncement {
  return {
    trustDomain: readName(wire, 'trust_domain'),
    rootsPem: readName(wire, 'roots_pem'),
    version: readName(wire, 'version'),
  };
}

export function trustAnnouncementToWire(trust: TrustAnnouncement): object {
  return { trust_domain: trust.trustDomain, roots_pem: trust.rootsPem, version: trust.version };
}
