import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeClient } from '#shared/kube/client.ts';
import type { KubeConnection } from '#shared/kube/connection.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { ChildProgram } from './child-program.ts';
import { binaryPath } from './kube-binaries.ts';

const START_DEADLINE_MS = 60_000;
const POLL_MS = 50;
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const USER_AGENT = 'ambient-mesh-test';

/**
 * A private etcd and kube-apiserver on loopback ports of their own, about three seconds after `start`: the real thing,
 * without nodes and without the controller manager (nothing makes `default` service accounts, pods stay as they are
 * written, deleted namespaces stay `Terminating`). Ask `cannotRunApiServer` first.
 *
 * Everybody who has `token` is cluster-admin; `connectionAs` is for the rights of a service account.
 */
export class ApiServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'ambient-kube-'));
  readonly token = randomBytes(16).toString('hex');
  readonly #agents = new Set<Agent>();
  #etcd: ChildProgram | undefined;
  #server: ChildProgram | undefined;
  #ports = { etcd: 0, peer: 0, server: 0 };
  #client: KubeClient | undefined;

  /** Rejects with the end of the log of what did not start. */
  static async start(): Promise<ApiServer> {
    const server = new ApiServer();
    try {
      await server.#start();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  get url(): string {
    return `https://127.0.0.1:${this.#ports.server}`;
  }

  /** As cluster-admin. */
  get client(): KubeClient {
    this.#client ??= this.clientAs(this.token);
    return this.#client;
  }

  get caPem(): string {
    return readFileSync(join(this.directory, 'pki', 'apiserver.crt'), 'utf8');
  }

  clientAs(token: string): KubeClient {
    return new KubeClient(this.connectionAs(token), systemClock, USER_AGENT);
  }

  /** With the rights of whoever the token is of. */
  connectionAs(token: string): KubeConnection {
    const agent = new Agent({ ca: this.caPem, keepAlive: true });
    this.#agents.add(agent);
    const options = { agent, headers: { authorization: `Bearer ${token}` } };
    return {
      server: new URL(this.url),
      namespace: 'default',
      requestOptions: () => Promise.resolve(options),
    };
  }

  /** Path of a kubeconfig for this server, cluster-admin's unless another token is given. */
  kubeconfig(token = this.token): string {
    const path = join(this.directory, `${randomBytes(4).toString('hex')}.kubeconfig`);
    const ca = Buffer.from(this.caPem).toString('base64');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: this.url, 'certificate-authority-data': ca } }],
      users: [{ name: 'test', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      'current-context': 'test',
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  /** The API server alone goes, as at an upgrade of the control plane; what etcd holds stays. */
  async stopServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    await this.#server?.stop(signal);
  }

  /** On the same port, with the same certificate and keys. */
  async startServer(): Promise<void> {
    this.#server = new ChildProgram(
      'kube-apiserver',
      binaryPath('kube-apiserver'),
      this.#serverArgs(),
      join(this.directory, 'kube-apiserver.log'),
    );
    await this.#untilReady();
  }

  /** Ends both programs and removes what they wrote. */
  async close(): Promise<void> {
    await this.#server?.stop('SIGKILL');
    await this.#etcd?.stop('SIGKILL');
    for (const agent of this.#agents) agent.destroy();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const [etcd = 0, peer = 0, server = 0] = await freePorts(3);
    this.#ports = { etcd, peer, server };
    mkdirSync(join(this.directory, 'pki'));
    writeServiceAccountKeys(this.directory);
    writeFileSync(join(this.directory, 'tokens.csv'), `${this.token},admin,admin,"system:masters"\n`);
    this.#etcd = new ChildProgram(
      'etcd',
      binaryPath('etcd'),
      [
        '--name=test',
        `--data-dir=${join(this.directory, 'etcd')}`,
        ...['listen-client-urls', 'advertise-client-urls'].map(f => `--${f}=http://127.0.0.1:${etcd}`),
        ...['listen-peer-urls', 'initial-advertise-peer-urls'].map(f => `--${f}=http://127.0.0.1:${peer}`),
        `--initial-cluster=test=http://127.0.0.1:${peer}`,
        '--unsafe-no-fsync',
      ],
      join(this.directory, 'etcd.log'),
    );
    await this.startServer();
  }

  #serverArgs(): readonly string[] {
    const at = (name: string): string => join(this.directory, name);
    return [
      `--etcd-servers=http://127.0.0.1:${this.#ports.etcd}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${this.#ports.server}`,
      `--cert-dir=${at('pki')}`,
      `--token-auth-file=${at('tokens.csv')}`,
      '--authorization-mode=RBAC',
      `--service-account-issuer=${ISSUER}`,
      `--service-account-signing-key-file=${at('sa.key')}`,
      `--service-account-key-file=${at('sa.pub')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--endpoint-reconciler-type=none',
      // It would wait for service accounts that nobody makes here.
      '--disable-admission-plugins=ServiceAccount',
      '--allow-privileged=true',
    ];
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + START_DEADLINE_MS;
    let last = 'not asked';
    while (performance.now() < deadline) {
      for (const program of [this.#etcd, this.#server])
        if (program?.running === false) throw new Error(`${program.name} ended: ${program.logTail()}`);
      try {
        await this.client.request({ path: '/readyz' });
      } catch (error) {
        last = errorMessage(error);
        // The one answer of a server that is a word.
        if (last.endsWith('no JSON object: "ok"')) return;
        await sleep(POLL_MS);
      }
    }
    throw new Error(`kube-apiserver is not ready: ${last}: ${this.#server?.logTail() ?? ''}`);
  }
}

function writeServiceAccountKeys(directory: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(join(directory, 'sa.key'), privateKey.export({ type: 'sec1', format: 'pem' }));
  writeFileSync(join(directory, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
}

/** Ports that nobody has at the moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(
        server =>
          new Promise<number>((resolve, reject) => {
            server.once('error', reject);
            server.listen(0, '127.0.0.1', () => {
              const address = server.address();
              resolve(typeof address === 'object' && address !== null ? address.port : 0);
            });
          }),
      ),
    );
  } finally {
    for (const server of servers) server.close();
  }
}
