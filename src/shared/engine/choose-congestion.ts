import type { Logger } from '../observability/logger.ts';
import type { EngineName } from './choose-engine.ts';
import {
  type CongestionControls,
  type CongestionPolicy,
  type CongestionSetting,
  tunnelCongestion,
} from './congestion-policy.ts';
import { kernelCongestionControls } from './native/congestion-control.ts';

/**
 * For all tunnels of this process, and says so. The portable engine leaves every socket to the kernel.
 * @throws Error when the kernel does not have what was asked for by name
 */
export function chooseTunnelCongestion(
  setting: CongestionSetting,
  engine: EngineName,
  logger: Pick<Logger, 'info' | 'warn'>,
  kernel: CongestionControls = kernelCongestionControls,
): CongestionPolicy | undefined {
  const isNamed = setting !== 'auto' && setting !== 'node';
  if (engine !== 'native') {
    if (isNamed) logger.warn('CONGESTION_CONTROL has no effect: the portable engine runs', { setting });
    return undefined;
  }
  const policy = tunnelCongestion(setting, kernel);
  if (policy !== undefined) logger.info('congestion control of tunnels', { ...policy });
  if (policy !== undefined || !isNamed) return policy;
  throw new Error(
    `CONGESTION_CONTROL: this kernel has no ${setting} for this process, but ${kernel.available}; choose one of these, or load the module tcp_${setting}`,
  );
}
