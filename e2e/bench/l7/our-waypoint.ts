import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleTier } from '../bundle.ts';
import { type Daemon, must } from '../command.ts';
import { type Contender, whenReady } from '../contender.ts';
import { nodeFlags } from '../node-flags.ts';
import { type Namespace, type Topology, waitForPort } from '../topology.ts';
import type { OurOptions } from '../suite.ts';
import { HBONE_PORT } from './address-plan.ts';
import { NAMESPACE, WAYPOINT_ACCOUNT } from './features.ts';
import { meshObjects } from './mesh-objects.ts';
import { startBeside, startProxy } from './pinned.ts';
import type { Stage } from './stage.ts';

const SOURCE = fileURLToPath(new URL('../../../src', import.meta.url));
/** Of what is not measured. */
const FLAGS = ['--disable-warning=ExperimentalWarning'];
const CONTROLLER_PORT = 15012;
const QUIET = { ADMIN_ADDR: 'off', STATS_ADDR: 'off', READINESS_ADDR: 'off' };

/** The waypoint as it is shipped, told of its routes by a real controller that reads them from a directory. */
export async function ourWaypoint(
  topology: Topology,
  directory: string,
  stage: Stage,
  { workers, engine }: OurOptions,
): Promise<Contender> {
  const entry = await bundleTier('waypoint', ['main.ts', 'workers/worker-main.ts'], directory);
  cpSync(join(SOURCE, 'shared/discovery/proto'), join(directory, 'waypoint', 'proto'), { recursive: true });
  const { client } = topology;
  const { slot } = stage;
  const { waypoint: ip } = slot;
  const control = new ControlPlane(client, ip, join(directory, `controller-${ip}`));
  const env = {
    PATH: process.env['PATH'],
    XDS_ADDRESS: `https://${ip}:${CONTROLLER_PORT}`,
    XDS_ROOT_CA: control.rootCertPath,
    TOKEN_PATH: control.tokenPath,
    // Of the CA that everything else of the bench has its certificates from.
    FAKE_CA: 'true',
    INSTANCE_IP: ip,
    HBONE_ADDR: `${ip}:${HBONE_PORT}`,
    POD_NAME: 'waypoint-0',
    POD_NAMESPACE: NAMESPACE,
    SERVICE_ACCOUNT: WAYPOINT_ACCOUNT,
    GATEWAY_NAME: 'waypoint',
    WORKER_THREADS: String(workers),
    ENGINE: engine,
    // Envoy has no overload manager here; ours would shed load because of what else the machine does.
    OVERLOAD_LAG: '30s',
    // As Envoy's beside it.
    ACCESS_LOG: 'all',
    ...QUIET,
    TERMINATION_GRACE_PERIOD_SECONDS: '0',
  };
  return {
    name: 'ours',
    ip,
    async start() {
      await control.start(meshObjects(slot));
      await stage.start();
      const waypoint = startProxy(client, process.execPath, [...nodeFlags(), entry], env);
      return whenReady([waypoint], async () => {
        await waitForPort(client, ip, HBONE_PORT, [waypoint]);
        await stage.answers(waypoint);
      });
    },
    async stop() {
      await stage.stop();
      await control.stop();
    },
  };
}

class ControlPlane {
  readonly rootCertPath: string;
  readonly tokenPath: string;
  readonly #place: Namespace;
  readonly #ip: string;
  readonly #directory: string;
  #daemon: Daemon | undefined;

  constructor(place: Namespace, ip: string, directory: string) {
    this.#place = place;
    this.#ip = ip;
    this.#directory = directory;
    this.rootCertPath = join(directory, 'root-cert.pem');
    this.tokenPath = join(directory, 'token');
  }

  async start(objects: readonly object[]): Promise<void> {
    const configDirectory = join(this.#directory, 'objects');
    rmSync(this.#directory, { recursive: true, force: true });
    mkdirSync(configDirectory, { recursive: true });
    objects.forEach((object, i) => writeFileSync(join(configDirectory, `${i}.yaml`), JSON.stringify(object)));
    const address = `${this.#ip}:${CONTROLLER_PORT}`;
    const env = {
      ...process.env,
      SOURCE: 'directory',
      CONFIG_DIR: configDirectory,
      DATA_DIR: this.#directory,
      ROOT_CERT_FILE: this.rootCertPath,
      XDS_ADDRESS: address,
      ...QUIET,
    };
    const daemon = startBeside(
      this.#place,
      process.execPath,
      [...FLAGS, join(SOURCE, 'controller/main.ts')],
      env,
    );
    this.#daemon = daemon;
    await waitForPort(this.#place, this.#ip, CONTROLLER_PORT, [daemon]);
    await this.#writeToken();
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
  }

  async #writeToken(): Promise<void> {
    const who = ['--namespace', NAMESPACE, '--service-account', WAYPOINT_ACCOUNT];
    const program = [...FLAGS, join(SOURCE, 'controller/token.ts'), ...who];
    const token = await must('env', [`CA_DIR=${this.#directory}`, process.execPath, ...program]);
    writeFileSync(this.tokenPath, token.trim(), { mode: 0o600 });
  }
}
