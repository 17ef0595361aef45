import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { parseJson } from '#shared/config/json.ts';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { createTopology, waitForPort } from '../bench/topology.ts';
import { ztunnelPair } from '../bench/ztunnel-pair.ts';

/**
 * Nothing is lost in transit: known bytes both ways through captured pods and a tunnel, with pauses, half-closes and resets
 * at random. `TRANSIT_GIB`: how much is checked on each engine.
 */
const GIB = Number(process.env['TRANSIT_GIB'] ?? 0.1);
const PORT = 7400;
const CONNECTIONS = 12;
/** On a machine that is busy otherwise. */
const MIN_BYTES_PER_SECOND = 2e6;

const program = (name: string): string => fileURLToPath(new URL(`../transit/${name}`, import.meta.url));
const node = (name: string, ...args: (string | number)[]): string[] => [
  '--disable-warning=ExperimentalWarning',
  program(name),
  ...args.map(String),
];

for (const engine of ['native', 'node'] as const) {
  test(`${engine}: every byte arrives, in order, and every end as what it was`, {
    skip: cannotMakeNetns(),
    timeout: Math.ceil(60_000 + ((GIB * 2 ** 30) / MIN_BYTES_PER_SECOND) * 1000),
  }, async t => {
    const directory = mkdtempSync(join(tmpdir(), 'transit-'));
    const topology = await createTopology(directory);
    const pair = await ztunnelPair(topology, directory, { workers: 2, engine });
    const daemons = await pair.start();
    const server = topology.server.start(process.execPath, node('server.ts', topology.server.ip, PORT));
    t.teardown(async () => {
      await Promise.all([server, ...daemons].map(d => d.stop()));
      await pair.stop?.();
      await topology.close();
      rmSync(directory, { recursive: true });
    });
    await waitForPort(topology.client, topology.server.ip, PORT, [server, ...daemons]);
    const bytes = Math.round(GIB * 2 ** 30);
    const deadlineMs = Math.ceil(50_000 + (bytes / MIN_BYTES_PER_SECOND) * 1000);
    const output = await topology.client.run(
      process.execPath,
      node('client.ts', topology.server.ip, PORT, bytes, CONNECTIONS),
      deadlineMs,
    );
    t.match(parseJson(output), { faults: [] }, output.trim());
    t.equal(server.said, '', 'and none was found wrong by the server');
  });
}
