import { type Check, eventually, expect } from './check.ts';
import { describeFailures, failures, load } from './load.ts';
import type { MeshUnderTest } from './mesh-under-test.ts';

const ORDERS = 'http://orders.shop:8080/order';
const RECOVER_MS = 10_000;

/** What goes on when a part of the mesh is gone. */
export const OUTAGE: readonly Check[] = [
  {
    name: 'controller killed: traffic and new connections go on',
    async run(mesh) {
      await mesh.kill('controller');
      const kept = await load(mesh, 'shop/frontend-0', ORDERS, { requests: 200, concurrency: 4 });
      expect(failures(kept) === 0, `on kept connections ${describeFailures(kept)}`);
      const fresh = await load(mesh, 'shop/frontend-0', ORDERS, {
        requests: 100,
        concurrency: 4,
        close: true,
      });
      expect(failures(fresh) === 0, `on new connections ${describeFailures(fresh)}`);
      return `${kept.total} requests, then ${fresh.total} on new connections`;
    },
  },
  {
    name: 'a ztunnel killed and started while the controller is down carries traffic again from its snapshot',
    async run(mesh) {
      const ztunnel = mesh.ztunnelOf('shop/frontend-0');
      await mesh.kill(ztunnel);
      await mesh.start(ztunnel);
      await eventually(RECOVER_MS, () => expectTraffic(mesh, 20));
      await expectTraffic(mesh, 100);
      return '100 requests, controller still down';
    },
  },
  {
    name: 'the controller comes back and takes changes again',
    async run(mesh) {
      await mesh.start('controller');
      const manifest = 'examples/shop/manifests/canary-istio.yaml';
      await mesh.apply(manifest);
      await eventually(2 * RECOVER_MS, async () => {
        const url = 'http://payments.shop:8080/charge';
        const report = await load(mesh, 'shop/orders-0', url, { requests: 10, header: 'x-user=tester' });
        expect(report.byVersion['v2'] === 10, `the tester got ${JSON.stringify(report.byVersion)}`);
      });
      await mesh.remove(manifest);
      return 'a new route took effect';
    },
  },
];

async function expectTraffic(mesh: MeshUnderTest, requests: number): Promise<void> {
  const report = await load(mesh, 'shop/frontend-0', ORDERS, { requests, close: true });
  expect(failures(report) === 0, describeFailures(report));
}
