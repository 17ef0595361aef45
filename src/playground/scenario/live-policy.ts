import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { type Check, eventually, expect } from './check.ts';
import type { MeshUnderTest, PodProcess } from './mesh-under-test.ts';

const DENY = 'examples/shop/manifests/ledger-deny-orders.yaml';
const CUT_WITHIN_MS = 1_000;
const OPEN_MS = 10_000;

/** A policy change reaches connections that are already open. */
export const LIVE_POLICY: readonly Check[] = [
  {
    name: 'a policy change cuts a connection that is already open within 1 s',
    async run(mesh) {
      const held = hold(mesh);
      try {
        await held.line(isEvent('open'), OPEN_MS);
        const changedAt = Date.now();
        await mesh.apply(DENY);
        const closed = parseJson(await held.line(isEvent('closed'), OPEN_MS));
        const at = isJsonObject(closed) ? Number(closed['atMs']) : Number.NaN;
        const tookMs = at - changedAt;
        expect(tookMs <= CUT_WITHIN_MS, `it was cut after ${tookMs} ms`);
        return `cut after ${tookMs} ms, ${isJsonObject(closed) ? String(closed['reason']) : ''}`;
      } finally {
        await held.stop();
      }
    },
  },
  {
    name: 'taking the policy away lets new connections in',
    async run(mesh) {
      await mesh.remove(DENY);
      return eventually(OPEN_MS, async () => {
        const held = hold(mesh);
        try {
          await held.line(isEvent('open'), 2_000);
          return 'open';
        } finally {
          await held.stop();
        }
      });
    },
  },
];

/** Keeps a connection open from orders to the ledger. It prints `"event":"open"` when it is. */
export function hold(mesh: MeshUnderTest): PodProcess {
  const tool = 'examples/shop/tools/hold.ts';
  return mesh.spawn('shop/orders-0', [
    'node',
    tool,
    '--host',
    'ledger.shop',
    '--port',
    '7000',
    '--seconds',
    '60',
  ]);
}

function isEvent(event: string): (line: string) => boolean {
  return line => line.includes(`"event":"${event}"`);
}
