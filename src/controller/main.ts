import { VERSION } from '#shared/config/version.ts';
import { ShutdownSignals } from '#shared/lifecycle/shutdown.ts';
import { forbidCoreFiles } from '#shared/native/core-files.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { startController } from './app.ts';
import { readConfig } from './config.ts';

if (process.argv.includes('--version')) {
  process.stdout.write(`controller ${VERSION}\n`);
} else {
  // Nothing else keeps the process alive while it waits for an API server that is away.
  setInterval(() => undefined, 2 ** 30);
  forbidCoreFiles();
  const signals = new ShutdownSignals();
  try {
    const controller = await startController(readConfig(process.env));
    signals.stopWith(controller.logger, () => controller.stop());
  } catch (error) {
    process.stderr.write(`controller: ${errorMessage(error)}\n`);
    process.exit(1);
  }
}
