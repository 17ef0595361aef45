import { type Check, expect } from './check.ts';
import { hold } from './live-policy.ts';
import { load } from './load.ts';
import type { MeshUnderTest } from './mesh-under-test.ts';

/** What an operator sees of all this. */
export const CTL: readonly Check[] = [
  {
    name: 'ambientctl stat shows success, rate and latency',
    async run(mesh) {
      const running = load(mesh, 'shop/orders-0', 'http://payments.shop:8080/charge', {
        seconds: 5,
        pauseMs: 5,
      });
      const line = await tableLine(mesh, ['stat', 'service', '-n', 'shop', '--window', '2'], 'shop/payments');
      await running;
      expect(/shop\/payments\s+2\/2\s+100\.00%\s+\d+\.\d+rps\s+\S+ms\s+\S+ms\s+\S+ms/.test(line), line);
      return line.replaceAll(/\s+/g, ' ');
    },
  },
  row('workloads', 'shop', /payments-v1-0 .*node-a .*HBONE/),
  row('services', 'shop', /payments .*waypoint.* 2\/2/),
  row('certificates', 'sa/orders', /Leaf\s+Available\s+true/),
  {
    name: 'ambientctl ztunnel-config connections',
    async run(mesh) {
      const held = hold(mesh);
      try {
        await held.line(line => line.includes('"event":"open"'), 10_000);
        const line = await tableLine(mesh, ['ztunnel-config', 'connections'], ':7000');
        return line.replaceAll(/\s+/g, ' ');
      } finally {
        await held.stop();
      }
    },
  },
  {
    name: 'ambientctl waypoint list shows the waypoint programmed',
    async run(mesh) {
      const line = await tableLine(mesh, ['waypoint', 'list'], 'waypoint');
      expect(/True/.test(line), line);
      return line.replaceAll(/\s+/g, ' ');
    },
  },
];

function row(table: string, word: string, pattern: RegExp): Check {
  return {
    name: `ambientctl ztunnel-config ${table}`,
    async run(mesh) {
      const { status, stdout, stderr } = await mesh.ambientctl(['ztunnel-config', table]);
      expect(status === 0, stderr);
      const line = stdout.split('\n').find(l => l.includes(word) && pattern.test(l));
      expect(line !== undefined, `no line of\n${stdout}\nmatches ${String(pattern)}`);
      return line.replaceAll(/\s+/g, ' ').slice(0, 120);
    },
  };
}

async function tableLine(mesh: MeshUnderTest, argv: readonly string[], word: string): Promise<string> {
  const { status, stdout, stderr } = await mesh.ambientctl(argv);
  expect(status === 0, stderr);
  const line = stdout.split('\n').find(l => l.includes(word));
  expect(line !== undefined, `no line with ${word} in\n${stdout}`);
  return line;
}
