import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { type Check, eventually, expect } from './check.ts';
import { describeFailures, failures, load } from './load.ts';
import type { MeshUnderTest } from './mesh-under-test.ts';

const ROUTE = 'examples/shop/manifests/fraud-retries.yaml';
const FRAUD = 'http://fraud.shop:8080';
const APPLY_MS = 10_000;
const STORM_REQUESTS = 2_000;
/** The budget: a fifth of the requests, and 10 a second beside; doubled for the windows' edges. */
const STORM_RATIO = 0.2;
const STORM_PER_SECOND = 10;

/** Retries hide a failing replica; the budget keeps them from finishing off one that is down. */
export const RETRIES: readonly Check[] = [
  {
    name: 'a service that fails every third request with 503 is seen as 100 % success',
    async run(mesh) {
      await mesh.apply(ROUTE);
      const report = await eventually(APPLY_MS, async () => {
        const r = await load(mesh, 'shop/orders-0', `${FRAUD}/check`, { requests: 100, pauseMs: 40 });
        expect(failures(r) === 0, describeFailures(r));
        return r;
      });
      return `${report.total} of ${report.total} requests`;
    },
  },
  {
    name: 'the retry budget stops a retry storm when all fail',
    async run(mesh) {
      await setMode(mesh, 'always');
      const report = await load(mesh, 'shop/orders-0', `${FRAUD}/check`, {
        requests: STORM_REQUESTS,
        concurrency: 16,
      });
      const received = await receivedRequests(mesh);
      await setMode(mesh, 'third');
      await mesh.remove(ROUTE);
      expect((report.byStatus['503'] ?? 0) === report.total, describeFailures(report));
      const retries = received - report.total;
      const bound = STORM_RATIO * report.total + STORM_PER_SECOND * (report.seconds + 10);
      expect(retries > 0, 'no retry was made at all');
      expect(
        retries <= bound,
        `${retries} retries for ${report.total} requests, more than ${Math.round(bound)}`,
      );
      return `${retries} retries for ${report.total} failing requests, without a budget ${2 * report.total}`;
    },
  },
];

/** The switch of the sample application is turned from inside its own pod, past the mesh. */
async function setMode(mesh: MeshUnderTest, mode: string): Promise<void> {
  await fraudPod(mesh, `fetch('http://127.0.0.1:8080/mode?fail=${mode}',{method:'POST'})`);
}

async function receivedRequests(mesh: MeshUnderTest): Promise<number> {
  const text = await fraudPod(mesh, `fetch('http://127.0.0.1:8080/stats')`);
  const stats = parseJson(text);
  return isJsonObject(stats) ? Number(stats['received']) : Number.NaN;
}

async function fraudPod(mesh: MeshUnderTest, call: string): Promise<string> {
  const program = `${call}.then(r=>r.text()).then(t=>console.log(t))`;
  const { status, stdout, stderr } = await mesh.exec('shop/fraud-0', ['node', '-e', program], 10_000);
  expect(status === 0, `the fraud pod's own address did not answer: ${stderr}`);
  return stdout;
}
