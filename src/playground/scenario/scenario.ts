import { CANARY } from './canary.ts';
import type { Check } from './check.ts';
import { CTL } from './ctl.ts';
import { INTENTIONS_CHECKS } from './intentions.ts';
import { LINKERD_CHECKS } from './linkerd.ts';
import { LIVE_POLICY } from './live-policy.ts';
import { OUTAGE } from './outage.ts';
import { RETRIES } from './retries.ts';
import { ROTATION } from './rotation.ts';
import { TRAFFIC } from './traffic.ts';

/** The scenario of `npm run demo -- --once`, in the order it is told. */
export const SCENARIO: readonly Check[] = [
  ...TRAFFIC,
  ...CANARY,
  ...INTENTIONS_CHECKS,
  ...LINKERD_CHECKS,
  ...LIVE_POLICY,
  ...RETRIES,
  ...CTL,
  ...OUTAGE,
  ...ROTATION,
];
