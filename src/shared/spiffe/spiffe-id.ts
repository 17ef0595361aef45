import { quoted, SpiffeError } from './spiffe-error.ts';
import { isTrustDomain, type TrustDomain, trustDomainFault } from './trust-domain.ts';

declare const spiffeIdBrand: unique symbol;

/**
 * A validated `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. There is exactly one spelling of an id
 * (no percent encoding, no upper-case scheme), so two ids are equal when their strings are.
 */
export type SpiffeId = string & { readonly [spiffeIdBrand]: true };

export interface ServiceAccountIdentity {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const SCHEME = 'spiffe://';
/** SPIFFE-ID §2.3: implementations must support ids up to 2048 bytes and need not support longer ones. */
const MAX_LENGTH = 2048;
/** Kubernetes limits: a namespace is a DNS label, a service account a DNS subdomain. */
const MAX_NAMESPACE_LENGTH = 63;
const MAX_SERVICE_ACCOUNT_LENGTH = 253;
/** SPIFFE-ID §2.2. Percent encoding is not allowed, so `%2f` cannot smuggle a separator in. */
const SEGMENT = /^[A-Za-z0-9._-]+$/;

type Parsed = { readonly identity: ServiceAccountIdentity } | { readonly fault: string };

/** Throws `SpiffeError` when `text` is not a service account's SPIFFE id in its one accepted spelling. */
export function parseSpiffeId(text: string): SpiffeId {
  if (isSpiffeId(text)) return text;
  throw new SpiffeError(`SPIFFE id ${quoted(text)}: ${spiffeIdFault(text)}`);
}

export function isSpiffeId(text: string): text is SpiffeId {
  return 'identity' in parse(text);
}

/** The reason why `text` is no SPIFFE id, or `undefined` when it is one. */
export function spiffeIdFault(text: string): string | undefined {
  const parsed = parse(text);
  return 'fault' in parsed ? parsed.fault : undefined;
}

/** Throws `SpiffeError` when a part is not valid, e.g. a namespace with a slash. */
export function formatSpiffeId(identity: ServiceAccountIdentity): SpiffeId {
  return parseSpiffeId(
    `${SCHEME}${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`,
  );
}

/** The parts of an id; throws `SpiffeError` only for a string that was branded without being parsed. */
export function serviceAccountOf(id: SpiffeId): ServiceAccountIdentity {
  const parsed = parse(id);
  if ('fault' in parsed) throw new SpiffeError(`SPIFFE id ${quoted(id)}: ${parsed.fault}`);
  return parsed.identity;
}

function parse(text: string): Parsed {
  if (text.length > MAX_LENGTH) return { fault: `it is longer than ${MAX_LENGTH} characters` };
  if (!text.startsWith(SCHEME)) return { fault: `it must start with ${SCHEME}` };
  const segments = text.slice(SCHEME.length).split('/');
  const [trustDomain, ns, namespace, sa, serviceAccount] = segments;
  if (
    segments.length !== 5 ||
    trustDomain === undefined ||
    namespace === undefined ||
    serviceAccount === undefined ||
    ns !== 'ns' ||
    sa !== 'sa'
  ) {
    return { fault: 'it must read spiffe://<trust domain>/ns/<namespace>/sa/<service account>' };
  }
  if (!isTrustDomain(trustDomain)) return { fault: trustDomainFault(trustDomain) ?? 'bad trust domain' };
  const fault =
    segmentFault('namespace', namespace, MAX_NAMESPACE_LENGTH) ??
    segmentFault('service account', serviceAccount, MAX_SERVICE_ACCOUNT_LENGTH);
  return fault === undefined ? { identity: { trustDomain, namespace, serviceAccount } } : { fault };
}

function segmentFault(what: string, segment: string, maxLength: number): string | undefined {
  if (segment === '') return `the ${what} is empty`;
  if (segment.length > maxLength) return `the ${what} is longer than ${maxLength} characters`;
  if (segment === '.' || segment === '..') return `the ${what} may not be "${segment}"`;
  if (!SEGMENT.test(segment)) return `the ${what} may only hold A-Z, a-z, 0-9, ".", "-" and "_"`;
  return undefined;
}
