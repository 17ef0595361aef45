import { VERSION } from '#shared/config/version.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { ShutdownSignals } from '#shared/lifecycle/shutdown.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { prepareRuntimeForTraffic } from '#shared/workers/prepare-runtime.ts';
import { startZtunnel } from './app.ts';
import { readConfig } from './config.ts';

if (process.argv.includes('--version')) {
  process.stdout.write(`ztunnel ${VERSION}\n`);
} else {
  try {
    prepareRuntimeForTraffic(systemClock);
    const signals = new ShutdownSignals();
    const ztunnel = await startZtunnel(readConfig(process.env));
    signals.stopWith(ztunnel.logger, () => ztunnel.stop());
  } catch (error) {
    process.stderr.write(`ztunnel: ${errorMessage(error)}\n`);
    process.exitCode = 1;
  }
}
