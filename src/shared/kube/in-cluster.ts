import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import type { Environment } from '../config/env-reader.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { formatHostPort } from '../workload/ip.ts';
import type { KubeConnection } from './connection.ts';

export const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews token and CA in place, minutes before the old ones end. */
const REREAD_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;

/** @throws Error that says what is missing when this process is not in a pod with a service account. */
export function inClusterConnection(
  env: Environment,
  clock: Clock,
  directory: string = SERVICE_ACCOUNT_DIR,
): KubeConnection {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = Number(env['KUBERNETES_SERVICE_PORT'] ?? '443');
  if (host === undefined || host === '') {
    throw new Error('not in a cluster: KUBERNETES_SERVICE_HOST is not set; set KUBECONFIG outside of one');
  }
  const files = new ServiceAccountFiles(directory, clock);
  return {
    server: new URL(`https://${formatHostPort(host, port)}`),
    namespace: readNamespace(directory),
    requestOptions: () => files.options(),
  };
}

class ServiceAccountFiles {
  readonly #directory: string;
  readonly #clock: Clock;
  #readAt = Number.NEGATIVE_INFINITY;
  #ca = '';
  #options: RequestOptions = {};

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  async options(): Promise<RequestOptions> {
    const now = this.#clock.monotonic();
    if (now - this.#readAt < REREAD_MS) return this.#options;
    const [token, ca] = await Promise.all([this.#read('token'), this.#read('ca.crt')]);
    let { agent } = this.#options;
    if (agent === undefined || ca !== this.#ca) {
      // Connections under the old CA end by themselves with their watches.
      agent = new Agent({ ca, keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS });
      this.#ca = ca;
    }
    this.#options = { agent, ca, headers: { authorization: `Bearer ${token.trim()}` } };
    this.#readAt = now;
    return this.#options;
  }

  #read(name: string): Promise<string> {
    return readFile(join(this.#directory, name), 'utf8');
  }
}

function readNamespace(directory: string): string {
  try {
    return readFileSync(join(directory, 'namespace'), 'utf8').trim() || 'default';
  } catch {
    return 'default';
  }
}
