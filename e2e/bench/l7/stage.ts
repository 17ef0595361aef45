import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Daemon } from '../command.ts';
import { whenReady } from '../contender.ts';
import { BENCH_IDENTITY } from '../spiffe-ids.ts';
import { issueFakeMaterial } from '../fake-material.ts';
import { type Topology, waitForPort } from '../topology.ts';
import { BENCH_SERVICES, HBONE_PORT, pathOf, serviceOf, type Slot } from './address-plan.ts';
import { askLoad, controlPathOf } from './load/ask-load.ts';
import { runBeside, startBeside } from './pinned.ts';
import type { LoadKind } from './plan.ts';

const READY_TRIES = 100;
const RETRY_MS = 200;
/** Of what the waypoint is told, the most. */
const PROBE = { protocol: 'h1', rules: 1000 } as const;
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];
const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** What stands on both sides of a measured waypoint: the same programs for every contender, started afresh with each. */
export class Stage {
  readonly slot: Slot;
  readonly #topology: Topology;
  readonly #load: LoadKind;
  readonly #materialPath: string;
  /** Of the load program. */
  readonly #controlPath: string;
  #daemons: readonly Daemon[] = [];

  private constructor(
    topology: Topology,
    directory: string,
    slot: Slot,
    load: LoadKind,
    materialPath: string,
  ) {
    this.slot = slot;
    this.#topology = topology;
    this.#load = load;
    this.#materialPath = materialPath;
    this.#controlPath = controlPathOf(directory, slot.waypoint);
  }

  static async create(topology: Topology, directory: string, slot: Slot, load: LoadKind): Promise<Stage> {
    const materialPath = join(directory, 'peer-material.json');
    writeFileSync(materialPath, JSON.stringify(await issueFakeMaterial(BENCH_IDENTITY)));
    await topology.client.run('ip', ['addr', 'replace', `${slot.waypoint}/24`, 'dev', 'veth0']);
    await topology.server.run('ip', ['addr', 'replace', `${slot.endpoint}/24`, 'dev', 'veth0']);
    return new Stage(topology, directory, slot, load, materialPath);
  }

  async start(): Promise<void> {
    const { client, server } = this.#topology;
    const { endpoint, waypoint } = this.slot;
    // Of the round before.
    rmSync(this.#controlPath, { force: true });
    const node = (place: typeof client, name: string, ...args: string[]): Daemon =>
      startBeside(place, process.execPath, [...NODE_FLAGS, program(name), this.#materialPath, ...args]);
    this.#daemons =
      this.#load === 'hbone'
        ? [node(client, 'hbone-load.ts', waypoint, endpoint, server.path, this.#controlPath)]
        : [node(server, 'hbone-endpoint.ts', endpoint), node(client, 'hbone-edge.ts', waypoint, waypoint)];
    await whenReady(this.#daemons, async () => {
      await waitForPort(client, endpoint, HBONE_PORT, this.#daemons);
      if (this.#load === 'hbone') return;
      for (const { edgePort } of BENCH_SERVICES) await waitForPort(client, waypoint, edgePort, this.#daemons);
    });
  }

  /** Until a request has come through the waypoint; it knows its routes some time after it listens. */
  async answers(proxy: Daemon): Promise<void> {
    let last = '';
    for (let tries = 0; tries < READY_TRIES; tries++) {
      if (!proxy.isRunning) throw new Error(`the waypoint ended early: ${proxy.said.trim()}`);
      try {
        return await (this.#load === 'hbone' ? this.#askOnce() : this.#curl());
      } catch (error) {
        last = errorMessage(error);
        await new Promise(resolve => setTimeout(resolve, RETRY_MS));
      }
    }
    throw new Error(`no answer came through the waypoint: ${last}; ${proxy.said.trim()}`);
  }

  async #askOnce(): Promise<void> {
    await askLoad(this.#controlPath, { ...PROBE, body: '1 KB', connections: 1, streams: 1, seconds: 0.1 });
  }

  async #curl(): Promise<void> {
    const url = `http://${this.slot.waypoint}:${serviceOf(PROBE).edgePort}${pathOf('1 KB')}`;
    const args = ['-sS', '--fail-with-body', '-m', '2', '-o', '/dev/null', url];
    await runBeside(this.#topology.client, 'curl', args, 5_000);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#daemons.map(daemon => daemon.stop()));
    this.#daemons = [];
  }
}
