import type { EngineName } from './choose-engine.ts';
import {
  type CongestionControls,
  type CongestionPolicy,
  type CongestionSetting,
  tunnelCongestion,
} from './congestion-policy.ts';
import { availableCongestionControls, kernelCongestionControls } from './native/congestion-control.ts';

/**
 * For all tunnels of this process. The portable engine leaves every socket to the kernel.
 * @throws Error when the kernel does not have what was asked for by name
 */
export function chooseTunnelCongestion(
  setting: CongestionSetting,
  engine: EngineName,
  kernel: CongestionControls = kernelCongestionControls,
): CongestionPolicy | undefined {
  if (engine !== 'native') return undefined;
  const policy = tunnelCongestion(setting, kernel);
  if (policy !== undefined || setting === 'auto' || setting === 'node') return policy;
  throw new Error(
    `CONGESTION_CONTROL: this kernel has no ${setting} for this process, but ${availableCongestionControls()}; choose one of these, or load the module tcp_${setting}`,
  );
}
