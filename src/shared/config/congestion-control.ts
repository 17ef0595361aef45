import type { CongestionSetting } from '../engine/congestion-policy.ts';
import type { EnvReader } from './env-reader.ts';

/** Whether the kernel has what is named is found out at the start. */
export function readCongestionControl(env: EnvReader): CongestionSetting {
  const setting = env.string(
    'CONGESTION_CONTROL',
    'auto',
    "TCP congestion control of tunnels: node (net.ipv4.tcp_congestion_control), a name such as cubic, or auto: the node's, except that bbr is used on long paths alone",
  );
  if (!/^[a-z0-9_]{1,15}$/.test(setting))
    env.reject(
      'CONGESTION_CONTROL',
      `${JSON.stringify(setting)} is no name of a congestion control; use auto, node, or a name such as cubic`,
    );
  return setting;
}
