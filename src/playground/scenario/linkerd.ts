import { type Check, eventually, expect } from './check.ts';
import { refusalLine } from './intentions.ts';
import { request } from './load.ts';

const SERVER = 'examples/shop/manifests/linkerd-server.yaml';
const AUTHORIZATION = 'examples/shop/manifests/linkerd-authorization.yaml';
const PAYMENTS = 'http://payments.shop:8080/charge';
const APPLY_MS = 10_000;

/** The same as with intentions, for who comes from Linkerd. */
export const LINKERD_CHECKS: readonly Check[] = [
  {
    name: 'a Server of Linkerd without authorizations refuses everybody, past the waypoint too',
    async run(mesh) {
      await mesh.apply(SERVER);
      await eventually(APPLY_MS, async () => {
        const answer = await request(mesh, 'shop/orders-0', PAYMENTS);
        expect(answer.status === 403, `orders got ${answer.status}, not 403`);
      });
      const direct = `http://${mesh.podIp('shop/payments-v1-0')}:8080/charge`;
      // Ztunnels are told by themselves.
      await eventually(APPLY_MS, async () => {
        const past = await request(mesh, 'shop/orders-0', direct);
        expect(past.status !== 200, 'orders reached payments by its pod address');
      });
      // What earlier checks have been refused by is in the log as well, and lines come a little late.
      return eventually(5_000, () => {
        const line = refusalLine(mesh, 'sa/orders');
        expect(line.includes('shop/server_payments_8080'), line);
        return Promise.resolve(line);
      });
    },
  },
  {
    name: 'an AuthorizationPolicy of Linkerd lets one identity in, and no other',
    async run(mesh) {
      await mesh.apply(AUTHORIZATION);
      try {
        await eventually(APPLY_MS, async () => {
          const answer = await request(mesh, 'shop/orders-0', PAYMENTS);
          expect(answer.status === 200, `orders got ${answer.status}, not 200`);
        });
        const direct = `http://${mesh.podIp('shop/payments-v1-0')}:8080/charge`;
        await eventually(APPLY_MS, async () => {
          const past = await request(mesh, 'shop/orders-0', direct);
          expect(past.status === 200, `orders got ${past.status} ${past.error} by the pod's address`);
        });
        const other = await request(mesh, 'shop/frontend-0', PAYMENTS);
        expect(other.status === 403, `frontend got ${other.status}, not 403`);
        const otherPast = await request(mesh, 'shop/frontend-0', direct);
        expect(otherPast.status !== 200, 'frontend reached payments by its pod address');
        return `200, ${other.status}`;
      } finally {
        await mesh.remove(AUTHORIZATION);
        await mesh.remove(SERVER);
      }
    },
  },
];
