import { type Check, eventually, expect } from './check.ts';
import { describeFailures, failures, load, request } from './load.ts';
import type { MeshUnderTest } from './mesh-under-test.ts';

const HBONE_PORT = 15008;
const START_MS = 30_000;

/** Pods of different nodes talk, encrypted and identified, without knowing it. */
export const TRAFFIC: readonly Check[] = [
  {
    name: 'pods of different nodes talk',
    async run(mesh) {
      const report = await eventually(START_MS, async () => {
        const r = await load(mesh, 'shop/frontend-0', 'http://orders.shop:8080/order', { requests: 20 });
        expect(failures(r) === 0, describeFailures(r));
        return r;
      });
      return `frontend → orders → payments, ${report.total} requests`;
    },
  },
  {
    name: 'on the wire between the nodes there is TLS on 15008 only, and none of the application text',
    needs: 'packets',
    async run(mesh) {
      const capture = mesh.capture();
      const report = await load(mesh, 'shop/frontend-0', 'http://orders.shop:8080/order?card=4111-secret', {
        requests: 50,
      });
      const traffic = await capture.stop();
      expect(failures(report) === 0, describeFailures(report));
      const segments = traffic.tcpPayloadByPort.get(HBONE_PORT) ?? 0;
      expect(segments > 0, 'no segment on port 15008 was seen');
      expectNoPlaintext(traffic.payload);
      const others = [...traffic.tcpPayloadByPort.keys()].filter(p => p !== HBONE_PORT && p !== 15012);
      expect(others.length === 0, `TCP payload on other ports: ${others.join(', ')}`);
      return `${segments} segments, ${traffic.payload.length} bytes looked at`;
    },
  },
  {
    name: "the server sees the client's real address",
    async run(mesh) {
      const { body } = await request(mesh, 'shop/frontend-0', 'http://orders.shop:8080/whoami');
      const expected = mesh.podIp('shop/frontend-0');
      expect(body.includes(`"client":"${expected}"`), `expected ${expected}, the server answered ${body}`);
      return expected;
    },
  },
  {
    name: 'the log shows both identities',
    async run(mesh) {
      const line = await eventually(5_000, () => Promise.resolve(findAccessLine(mesh)));
      return line.slice(0, 160);
    },
  },
];

function expectNoPlaintext(payload: Buffer): void {
  for (const text of ['4111-secret', 'HTTP/1.1', 'x-version', 'charged']) {
    expect(!payload.includes(text), `the application text ${JSON.stringify(text)} was found on the wire`);
  }
}

function findAccessLine(mesh: MeshUnderTest): string {
  const wanted = ['spiffe://cluster.local/ns/shop/sa/frontend', 'spiffe://cluster.local/ns/shop/sa/orders'];
  for (const proxy of mesh.proxies) {
    const line = mesh
      .log(proxy)
      .split('\n')
      .find(l => l.includes('access') && wanted.every(identity => l.includes(identity)));
    if (line !== undefined) return `${proxy}: ${line}`;
  }
  throw new Error(`no access log line names ${wanted.join(' and ')}`);
}
