import { type Check, eventually, expect } from './check.ts';
import { request } from './load.ts';
import type { MeshUnderTest } from './mesh-under-test.ts';

const INTENTIONS = 'examples/shop/manifests/intentions.yaml';
const PERMISSIONS = 'examples/shop/manifests/intentions-http.yaml';
const STRICT = 'examples/shop/manifests/strict.yaml';
const PAYMENTS = 'http://payments.shop:8080/charge';
const APPLY_MS = 10_000;

/** Who may talk to payments. */
export const INTENTIONS_CHECKS: readonly Check[] = [
  {
    name: 'intentions: frontend → payments is refused, and the log names the rule',
    async run(mesh) {
      await mesh.apply(INTENTIONS);
      const { status } = await eventually(APPLY_MS, async () => {
        const answer = await request(mesh, 'shop/frontend-0', PAYMENTS);
        expect(answer.status === 403, `frontend got ${answer.status}, not 403`);
        return answer;
      });
      const line = await eventually(5_000, () => Promise.resolve(refusalLine(mesh, 'sa/frontend')));
      return `${status}; ${line}`;
    },
  },
  {
    name: 'intentions: orders → payments is allowed',
    async run(mesh) {
      const { status } = await request(mesh, 'shop/orders-0', PAYMENTS);
      expect(status === 200, `orders got ${status}`);
      return '200';
    },
  },
  {
    name: 'intentions: the way around the waypoint, by the address of the pod, is refused too',
    async run(mesh) {
      const url = `http://${mesh.podIp('shop/payments-v1-0')}:8080/charge`;
      try {
        const { status, error } = await request(mesh, 'shop/frontend-0', url);
        expect(status !== 200, 'frontend reached payments by its pod address');
        return error === '' ? String(status) : error;
      } finally {
        await mesh.remove(INTENTIONS);
      }
    },
  },
  {
    name: 'intentions by request: orders may GET /charge, not /admin, and nothing past the waypoint',
    async run(mesh) {
      await mesh.apply(PERMISSIONS);
      try {
        const refused = await eventually(APPLY_MS, async () => {
          const answer = await request(mesh, 'shop/orders-0', 'http://payments.shop:8080/admin/keys');
          expect(answer.status === 403, `orders got ${answer.status} for /admin/keys, not 403`);
          return answer;
        });
        const hidden = await request(mesh, 'shop/orders-0', 'http://payments.shop:8080/%61dmin/keys');
        expect(hidden.status === 403, `orders got ${hidden.status} for a path that hides /admin`);
        const allowed = await request(mesh, 'shop/orders-0', PAYMENTS);
        expect(allowed.status === 200, `orders got ${allowed.status} for /charge`);
        const direct = `http://${mesh.podIp('shop/payments-v1-0')}:8080/charge`;
        const past = await request(mesh, 'shop/orders-0', direct);
        expect(past.status !== 200, 'orders reached payments by its pod address');
        return `${refused.status}, ${allowed.status}; ${past.error === '' ? past.status : past.error}`;
      } finally {
        await mesh.remove(PERMISSIONS);
      }
    },
  },
  {
    name: 'the pod outside the mesh is refused under STRICT',
    needs: 'capture',
    async run(mesh) {
      const url = `http://${mesh.podIp('shop/orders-0')}:8080/whoami`;
      const before = await request(mesh, 'legacy/legacy-0', url);
      expect(
        before.status === 200,
        `before STRICT the pod outside the mesh got ${before.status} ${before.error}`,
      );
      await mesh.apply(STRICT);
      const after = await eventually(APPLY_MS, async () => {
        const answer = await request(mesh, 'legacy/legacy-0', url);
        expect(answer.status !== 200, 'the pod outside the mesh still gets through');
        return answer;
      });
      const line = await eventually(5_000, () =>
        Promise.resolve(refusalLine(mesh, mesh.podIp('legacy/legacy-0'))),
      );
      await mesh.remove(STRICT);
      return `${after.status === 0 ? after.error : after.status}; ${line}`;
    },
  },
];

/** The access log line of a refused connection or request from `source`, cut to what names the rule. */
export function refusalLine(mesh: MeshUnderTest, source: string): string {
  for (const proxy of mesh.proxies) {
    const line = mesh
      .log(proxy)
      .split('\n')
      .findLast(l => l.includes('access') && l.includes(source) && /denied by|no ALLOW policy of/.test(l));
    if (line !== undefined)
      return `${proxy}: ${/(denied by|no ALLOW policy of)[^"]*/.exec(line)?.[0] ?? line}`;
  }
  throw new Error(`no log line tells which rule refused ${source}`);
}
