import { type Check, eventually, expect } from './check.ts';
import { describeFailures, failures, load, type LoadReport } from './load.ts';
import type { MeshUnderTest } from './mesh-under-test.ts';

const REQUESTS = 2_000;
const TOLERANCE_POINTS = 2;
const PAYMENTS = 'http://payments.shop:8080/charge';
const APPLY_MS = 10_000;

/** A tenth of payments goes to v2; one user always does. Both dialects say it. */
export const CANARY: readonly Check[] = [
  ...canary('VirtualService and DestinationRule', 'examples/shop/manifests/canary-istio.yaml'),
  ...canary('HTTPRoute', 'examples/shop/manifests/canary-gateway-api.yaml'),
];

function canary(dialect: string, manifest: string): Check[] {
  return [
    {
      name: `90/10 canary by ${dialect}`,
      async run(mesh) {
        await mesh.apply(manifest);
        await eventually(APPLY_MS, () => expectTesterOnV2(mesh));
        const report = await load(mesh, 'shop/orders-0', PAYMENTS, { requests: REQUESTS, concurrency: 8 });
        expect(failures(report) === 0, describeFailures(report));
        const share = percentOfV2(report);
        expect(
          Math.abs(share - 10) <= TOLERANCE_POINTS,
          `v2 got ${share.toFixed(2)} % of ${report.total} requests`,
        );
        return `v2 got ${share.toFixed(2)} % of ${report.total} requests`;
      },
    },
    {
      name: `a header match sends one user to v2 by ${dialect}`,
      async run(mesh) {
        await expectTesterOnV2(mesh);
        await mesh.remove(manifest);
        return '50 of 50';
      },
    },
  ];
}

async function expectTesterOnV2(mesh: MeshUnderTest): Promise<void> {
  const report = await load(mesh, 'shop/orders-0', PAYMENTS, { requests: 50, header: 'x-user=tester' });
  expect(report.byVersion['v2'] === report.total, `the tester got ${JSON.stringify(report.byVersion)}`);
}

function percentOfV2(report: LoadReport): number {
  return (100 * (report.byVersion['v2'] ?? 0)) / report.total;
}
