import { parseArgs } from 'node:util';
import { errorMessage } from '#shared/observability/error-message.ts';
import { runForeground, untilStopped } from './foreground.ts';
import type { Playground } from './playground.ts';
import { describeOutcome, runChecks } from './scenario/check.ts';
import { SCENARIO } from './scenario/scenario.ts';

/** `npm run demo`: the mesh on this machine until Ctrl-C. `npm run demo -- --once`: the scenario, then its result. */
const USAGE = 'usage: npm run demo [-- --once] [-- --state-dir DIR]';

function parse(): { once: boolean; stateDir: string | undefined } {
  try {
    const { values } = parseArgs({
      options: { once: { type: 'boolean', default: false }, 'state-dir': { type: 'string' } },
    });
    return { once: values.once, stateDir: values['state-dir'] };
  } catch (error) {
    console.error(
      `demo: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}; ${USAGE}`,
    );
    process.exit(2);
  }
}

async function playScenario(playground: Playground, stopped: AbortSignal): Promise<number> {
  const outcome = await Promise.race([
    runChecks(SCENARIO, playground, print),
    untilStopped(stopped).then(() => undefined),
  ]);
  if (outcome === undefined) {
    print('stopped before the end of the scenario');
    return 1;
  }
  print(describeOutcome(outcome));
  return outcome.failed === 0 ? 0 : 1;
}

async function show(_playground: Playground, stopped: AbortSignal): Promise<number> {
  print(TRY_NEXT);
  await untilStopped(stopped);
  print('stopping; nothing is left behind');
  return 0;
}

const TRY_NEXT = `
The shop is running: frontend → orders → payments v1 | v2, fraud, ledger, and a pod that is not in the mesh.
In another terminal, for a browser: scripts/ambientctl dashboard
And to try:

  scripts/ambientctl ztunnel-config workloads
  scripts/ambientctl playground apply examples/shop/manifests/canary-istio.yaml
  scripts/ambientctl describe service shop/payments
  scripts/ambientctl playground exec shop/frontend-0 -- node examples/shop/tools/load.ts --url http://orders.shop:8080/ --seconds 20 &
  scripts/ambientctl stat service -n shop
  scripts/ambientctl playground apply examples/shop/manifests/intentions.yaml
  scripts/ambientctl authz check shop/payments-v1-0 --from shop/frontend-0
  scripts/ambientctl logs shop/payments-v1-0 --tail 3
  scripts/ambientctl analyze

Ctrl-C ends it.`;

function print(line: string): void {
  console.log(line);
}

const { once, stateDir } = parse();
try {
  const status = await runForeground({ stateDir, print, use: once ? playScenario : show });
  process.exit(status);
} catch (error) {
  console.error(`demo: ${errorMessage(error)}`);
  process.exit(1);
}
