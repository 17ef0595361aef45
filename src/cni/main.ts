import { VERSION } from '#shared/config/version.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { MAX_CONFIG_BYTES } from './invocation.ts';
import { runPlugin } from './run.ts';

if (process.argv.includes('--version')) process.stdout.write(`ambient-cni ${VERSION}\n`);
else void main();

async function main(): Promise<void> {
  // The clock's timers keep no process alive; this one ends when it has an outcome.
  const alive = setInterval(() => undefined, 60_000);
  const { stdout, exitCode } = await runPlugin({
    env: process.env,
    stdin: await readInput(),
    clock: systemClock,
  });
  process.stdout.write(stdout, () => process.exit(exitCode));
  clearInterval(alive);
}

/** As much of it as a configuration may have. */
async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > MAX_CONFIG_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
