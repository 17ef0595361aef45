import type { Check } from './check.ts';
import { CERTIFICATE_CHECKS } from './checks/certificates.ts';
import { CONTROL_PLANE_CHECKS } from './checks/control-plane.ts';
import { DATA_PLANE_CHECKS } from './checks/data-plane.ts';
import { KUBERNETES_CHECKS } from './checks/kubernetes.ts';
import { NETWORK_POLICY_CHECKS } from './checks/network-policies.ts';
import { PRE_INSTALL_CHECKS } from './checks/pre-install.ts';
import { WAYPOINT_CHECKS } from './checks/waypoints.ts';

/** In the order in which one would look. */
export const INSTALLED_CHECKS: readonly Check[] = [
  ...KUBERNETES_CHECKS,
  ...CONTROL_PLANE_CHECKS,
  ...DATA_PLANE_CHECKS,
  ...NETWORK_POLICY_CHECKS,
  ...CERTIFICATE_CHECKS,
  ...WAYPOINT_CHECKS,
];

export const PRE_CHECKS: readonly Check[] = [...KUBERNETES_CHECKS, ...PRE_INSTALL_CHECKS];
