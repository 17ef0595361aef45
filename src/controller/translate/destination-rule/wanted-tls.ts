import type { TlsOrigination } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics } from '../diagnostic.ts';
import {
  type DestinationRuleOptions,
  type DestinationRuleTranslation,
  readLoosely,
} from './destination-rule.ts';
import { type LeveledParts, NO_PARTS, type PolicyParts } from './policy-parts.ts';

/**
 * What holds of a rule that was never good, where it asks for TLS: that there is no plaintext. Nobody is trusted, since what it
 * says of that may be what is wrong; TLS of the mesh knows whom to trust. Its subsets are not there: nothing goes to those. For
 * whom it is holds as of one that is good; where that is wrong it is for all.
 * @param why told to whoever is refused
 * @returns undefined: it does not ask for TLS, as far as it can be read
 */
export function wantedTls(
  object: KubeObject,
  options: DestinationRuleOptions,
  why: string,
): DestinationRuleTranslation | undefined {
  const diagnostics = new Diagnostics(object);
  const read = readLoosely(object, options, diagnostics);
  const { trafficPolicy } = read;
  if (trafficPolicy === undefined) return undefined;
  const whole = tlsAlone(trafficPolicy, why);
  const ports = trafficPolicy.ports
    .map(({ parts, port }) => ({ port, parts: tlsAlone(parts, why) }))
    // Of a port that is there twice the first counts.
    .sort((a, b) => Number(asksForTls(b.parts.tls)) - Number(asksForTls(a.parts.tls)));
  if (![whole, ...ports.map(({ parts }) => parts)].some(({ tls }) => asksForTls(tls))) return undefined;
  const exportTo = isRejected(diagnostics, 'spec.exportTo') ? [] : read.exportTo;
  return { ...read, exportTo, trafficPolicy: { ...whole, ports }, subsets: [] };
}

/** Whether what holds of a rule is that connections are refused. */
export function refusesConnections({ ports, tls }: LeveledParts): boolean {
  return [tls, ...ports.map(({ parts }) => parts.tls)].some(one => one?.trustedRoots.kind === 'unresolved');
}

function isRejected({ found }: Diagnostics, field: string): boolean {
  return found.some(one => one.severity === 'rejected' && one.field === field);
}

function tlsAlone({ tls }: PolicyParts, why: string): PolicyParts {
  return { ...NO_PARTS, tls: tls && withNobodyTrusted(tls, why) };
}

function asksForTls(tls: TlsOrigination | undefined): boolean {
  return tls !== undefined && tls.mode !== 'disable';
}

function withNobodyTrusted(tls: TlsOrigination, reason: string): TlsOrigination {
  const isOfMesh = tls.mode === 'disable' || tls.mode === 'mesh';
  return {
    ...tls,
    mode: isOfMesh ? tls.mode : 'simple',
    trustedRoots: isOfMesh ? { kind: 'system' } : { kind: 'unresolved', reason },
    subjectAltNames: [],
    clientCertificate: undefined,
    credential: undefined,
    revocationListFile: undefined,
    skipVerification: false,
  };
}
