import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Daemon } from '../command.ts';
import { whenReady } from '../contender.ts';
import { BENCH_IDENTITY } from '../spiffe-ids.ts';
import { issueFakeMaterial } from '../fake-material.ts';
import { type Topology, waitForPort } from '../topology.ts';
import { BENCH_SERVICES, HBONE_PORT, pathOf, serviceOf, type Slot } from './address-plan.ts';
import { runBeside, startBeside } from './pinned.ts';

const READY_TRIES = 100;
const RETRY_MS = 200;
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];
const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** What stands on both sides of a measured waypoint: the same programs for every contender, started afresh with each. */
export class Stage {
  readonly #topology: Topology;
  readonly #slot: Slot;
  readonly #materialPath: string;
  #daemons: readonly Daemon[] = [];

  private constructor(topology: Topology, slot: Slot, materialPath: string) {
    this.#slot = slot;
    this.#topology = topology;
    this.#materialPath = materialPath;
  }

  static async create(topology: Topology, directory: string, slot: Slot): Promise<Stage> {
    const materialPath = join(directory, 'peer-material.json');
    writeFileSync(materialPath, JSON.stringify(await issueFakeMaterial(BENCH_IDENTITY)));
    await topology.client.run('ip', ['addr', 'replace', `${slot.waypoint}/24`, 'dev', 'veth0']);
    await topology.server.run('ip', ['addr', 'replace', `${slot.endpoint}/24`, 'dev', 'veth0']);
    return new Stage(topology, slot, materialPath);
  }

  async start(): Promise<void> {
    const { client, server } = this.#topology;
    const { endpoint, waypoint } = this.#slot;
    const node = (place: typeof client, name: string, ...args: string[]): Daemon =>
      startBeside(place, process.execPath, [...NODE_FLAGS, program(name), this.#materialPath, ...args]);
    this.#daemons = [
      node(server, 'hbone-endpoint.ts', endpoint),
      node(client, 'hbone-edge.ts', waypoint, waypoint),
    ];
    await whenReady(this.#daemons, async () => {
      await waitForPort(client, endpoint, HBONE_PORT, this.#daemons);
      for (const { edgePort } of BENCH_SERVICES) await waitForPort(client, waypoint, edgePort, this.#daemons);
    });
  }

  /** Until a request has come through the waypoint; it knows its routes some time after it listens. */
  async answers(proxy: Daemon): Promise<void> {
    const { client } = this.#topology;
    const url = `http://${this.#slot.waypoint}:${serviceOf({ protocol: 'h1', rules: 1000 }).edgePort}${pathOf('1 KB')}`;
    let last = '';
    for (let tries = 0; tries < READY_TRIES; tries++) {
      if (!proxy.isRunning) throw new Error(`the waypoint ended early: ${proxy.said.trim()}`);
      try {
        await runBeside(
          client,
          'curl',
          ['-sS', '--fail-with-body', '-m', '2', '-o', '/dev/null', url],
          5_000,
        );
        return;
      } catch (error) {
        last = errorMessage(error);
        await new Promise(resolve => setTimeout(resolve, RETRY_MS));
      }
    }
    throw new Error(`no answer came through the waypoint: ${last}; ${proxy.said.trim()}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#daemons.map(daemon => daemon.stop()));
    this.#daemons = [];
  }
}
