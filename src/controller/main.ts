import { VERSION } from '#shared/config/version.ts';
import { onShutdownSignal } from '#shared/lifecycle/shutdown.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { startController } from './app.ts';
import { readConfig } from './config.ts';

if (process.argv.includes('--version')) {
  process.stdout.write(`controller ${VERSION}\n`);
} else {
  // Nothing else keeps the process alive while it waits for an API server that is away.
  setInterval(() => undefined, 2 ** 30);
  try {
    const controller = await startController(readConfig(process.env));
    onShutdownSignal(controller.logger, () => controller.stop());
  } catch (error) {
    process.stderr.write(`controller: ${errorMessage(error)}\n`);
    process.exit(1);
  }
}
