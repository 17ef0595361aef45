/** How a controller begins the warning that a certificate of its CA is near its end, by which `ambientctl check` knows it. */
export const CA_ENDS = "the CA's certificate ends: ";

export interface Lifetime {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const DAY_MS = 86_400_000;
/**
 * Time enough for somebody to have a new one signed. Of a certificate that lives for less than four months it is a quarter of its life:
 * cert-manager, and we ourselves, replace one when a third is left, so that a quarter means that they did not.
 */
const MOST_WARNING_MS = 30 * DAY_MS;
const WARNING_SHARE = 1 / 4;

/** Whether somebody has to see to a certificate of a CA: it ends soon, or has ended. */
export function isNearEnd({ notAfterMs, notBeforeMs }: Lifetime, nowMs: number): boolean {
  return notAfterMs - nowMs < Math.min(MOST_WARNING_MS, (notAfterMs - notBeforeMs) * WARNING_SHARE);
}
