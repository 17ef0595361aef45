import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { type Check, eventually, expect } from './check.ts';
import { describeFailures, failures, load } from './load.ts';
import type { MeshUnderTest } from './mesh-under-test.ts';

const ORDERS = 'http://orders.shop:8080/order';
/** Longer than the life of a leaf (1 min in the demo): whoever kept an old one would be refused. */
const LEAF_LOAD_SECONDS = 70;
const ROOT_LOAD_SECONDS = 30;
const STEP_MS = 20_000;

/** Certificates and roots change under load, and nobody notices. */
export const ROTATION: readonly Check[] = [
  {
    name: 'leaves of 1 minute rotate under load with no failed request',
    async run(mesh) {
      const before = await serials(mesh);
      const report = await load(mesh, 'shop/frontend-0', ORDERS, loadOptions(LEAF_LOAD_SECONDS));
      expect(failures(report) === 0, describeFailures(report));
      const after = await serials(mesh);
      const kept = [...before].filter(serial => after.has(serial));
      expect(before.size > 0, 'no certificate was seen before');
      expect(kept.length === 0, `${kept.length} of ${before.size} leaves are still the old ones`);
      return `${report.total} requests, ${before.size} leaves replaced`;
    },
  },
  {
    name: 'the root is rotated under load with no failed request',
    async run(mesh) {
      const [before] = await roots(mesh);
      const running = load(mesh, 'shop/frontend-0', ORDERS, loadOptions(ROOT_LOAD_SECONDS));
      await rotate(mesh, 'prepare');
      await eventually(STEP_MS, async () =>
        expect((await roots(mesh)).size === 2, 'not every proxy trusts both roots'),
      );
      await rotate(mesh, 'switch');
      await eventually(STEP_MS, async () =>
        expect(await allLeavesMoved(mesh), 'leaves of the old root are still in use'),
      );
      await rotate(mesh, 'finish');
      await eventually(STEP_MS, async () =>
        expect((await roots(mesh)).size === 1, 'the old root is still trusted'),
      );
      const [after] = await roots(mesh);
      expect(after !== before, 'the root is the old one');
      const report = await running;
      expect(failures(report) === 0, describeFailures(report));
      return `${report.total} requests, root ${String(before).slice(0, 8)}… → ${String(after).slice(0, 8)}…`;
    },
  },
];

/** Half of the load on kept connections would never see a new handshake, so all of it opens new ones. */
function loadOptions(seconds: number): Record<string, string | number | true> {
  return { seconds, concurrency: 2, pauseMs: 20, close: true };
}

interface DumpedChain {
  readonly leaf: string;
  readonly roots: readonly string[];
}

async function chains(mesh: MeshUnderTest): Promise<DumpedChain[]> {
  const ztunnels = mesh.proxies.filter(name => name.startsWith('ztunnel'));
  const dumps = await Promise.all(ztunnels.map(name => mesh.fetchAdmin(name, '/config_dump')));
  return dumps
    .flatMap(text => list(parseJson(text), 'certificates'))
    .map(certificate => {
      const chain = list(certificate, 'certChain');
      const serialsOf = (type: string): string[] =>
        chain
          .filter(c => isJsonObject(c) && c['type'] === type)
          .map(c => (isJsonObject(c) ? String(c['serial']) : ''));
      return { leaf: serialsOf('Leaf')[0] ?? '', roots: serialsOf('Root') };
    });
}

async function serials(mesh: MeshUnderTest): Promise<Set<string>> {
  return new Set((await chains(mesh)).map(c => c.leaf).filter(s => s !== ''));
}

/** The roots that every proxy trusts. */
async function roots(mesh: MeshUnderTest): Promise<Set<string>> {
  const all = await chains(mesh);
  const [first] = all;
  return new Set((first?.roots ?? []).filter(root => all.every(c => c.roots.includes(root))));
}

async function allLeavesMoved(mesh: MeshUnderTest): Promise<boolean> {
  const status = parseJson(await mesh.fetchAdmin('controller', '/ca/status'));
  return isJsonObject(status) && status['oldRootLeaves'] === 0;
}

async function rotate(mesh: MeshUnderTest, step: 'prepare' | 'switch' | 'finish'): Promise<void> {
  await mesh.fetchAdmin('controller', `/ca/rotate?step=${step}`, 'POST');
}

function list(value: unknown, field: string): unknown[] {
  const items = isJsonObject(value) ? value[field] : undefined;
  return Array.isArray(items) ? items : [];
}
