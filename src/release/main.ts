import { readEnvironment } from '#shared/config/env-reader.ts';
import { VERSION } from '#shared/config/version.ts';
import { KubeClient } from '#shared/kube/client.ts';
import { inClusterConnection } from '#shared/kube/in-cluster.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { declareConfig } from './config.ts';
import { releasePods } from './release-pods.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

if (process.argv.includes('--version')) {
  print(`release ${VERSION}`);
} else {
  try {
    const config = readEnvironment(process.env, declareConfig);
    const api = new KubeClient(
      inClusterConnection(process.env, systemClock),
      systemClock,
      `release/${VERSION}`,
    );
    await releasePods({ ...config, api, clock: systemClock, print });
  } catch (error) {
    process.stderr.write(`release: ${errorMessage(error)}\n`);
    process.exitCode = 1;
  }
}
