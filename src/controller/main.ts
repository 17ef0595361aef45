import { VERSION } from '#shared/config/version.ts';
import { onShutdownSignal } from '#shared/lifecycle/shutdown.ts';
import { startController } from './app.ts';
import { readConfig } from './config.ts';

if (process.argv.includes('--version')) {
  process.stdout.write(`controller ${VERSION}\n`);
} else {
  try {
    const controller = await startController(readConfig(process.env));
    onShutdownSignal(controller.logger, () => controller.stop());
  } catch (error) {
    process.stderr.write(`controller: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
