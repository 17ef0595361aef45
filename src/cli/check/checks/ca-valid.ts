import { CA_ENDS, isNearEnd, type Lifetime } from '#shared/pki/near-end.ts';
import { shortDuration } from '../../render/age.ts';
import { type Check, noneOf, unknown } from '../check.ts';
import { answered, type ClusterSnapshot } from '../cluster-snapshot.ts';

export const CA_VALID_CHECK: Omit<Check, 'category'> = {
  id: 'ca-valid',
  description: 'certificates of the CA are valid for 30 days and more, or a quarter of their life',
  severity: 'warning',
  run: snapshot => {
    const controllers = answered(snapshot).filter(p => p.ref.kind === 'controller');
    // Whose it is and what to do, a controller knows. While none answers, proxies have what signed for them last.
    if (controllers.length > 0)
      return noneOf([...new Set(controllers.flatMap(p => toldBy(p.dump.warnings)))]);
    const intermediates = heldIntermediates(snapshot);
    if (intermediates.length === 0)
      return unknown('no controller answered, and no proxy holds an intermediate');
    return noneOf([...new Set(intermediates.flatMap(i => problemOf(i, snapshot.nowMs)))]);
  },
};

function toldBy(warnings: readonly string[]): string[] {
  return warnings.filter(w => w.startsWith(CA_ENDS)).map(w => w.slice(CA_ENDS.length));
}

interface Intermediate extends Lifetime {
  readonly serial: string;
}

function heldIntermediates(snapshot: ClusterSnapshot): Intermediate[] {
  return answered(snapshot)
    .flatMap(({ dump }) => dump.certificates.flatMap(({ chain }) => chain))
    .filter(({ type }) => type === 'Intermediate')
    .map(({ notAfter, notBefore, serial }) => ({
      serial,
      notBeforeMs: Date.parse(notBefore),
      notAfterMs: Date.parse(notAfter),
    }));
}

function problemOf(intermediate: Intermediate, nowMs: number): string[] {
  const { notAfterMs, serial } = intermediate;
  const leftMs = notAfterMs - nowMs;
  if (leftMs <= 0) return [`intermediate ${serial} has ended, and every certificate of the mesh with it`];
  if (!isNearEnd(intermediate, nowMs)) return [];
  return [
    `intermediate ${serial} ends in ${shortDuration(leftMs)}, and every certificate of the mesh with it`,
  ];
}
