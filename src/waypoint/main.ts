import { VERSION } from '#shared/config/version.ts';
import { runFromEnvironment } from './app.ts';

if (process.argv.includes('--version')) process.stdout.write(`waypoint ${VERSION}\n`);
else await runFromEnvironment();
