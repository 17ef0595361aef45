import { mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Test } from 'tap';
import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';
import { eventually } from './eventually.ts';
import {
  apply,
  exec,
  getField,
  kubectl,
  listObjects,
  type Running,
  type RunResult,
  start,
  startExec,
} from './kubectl.ts';
import { inNamespace } from './objects.ts';

export const MESH_NAMESPACE = process.env['E2E_MESH_NAMESPACE'] ?? 'istio-system';
const MODE = 'istio.io/dataplane-mode';
const REDIRECTION = '.metadata.annotations.ambient\\.istio\\.io/redirection';
const READY_DEADLINE_MS = 60_000;
const REACHABLE_DEADLINE_MS = 10_000;
const CAPTURE_DEADLINE_MS = 15_000;

/** `skip` of every test here: they run with `npm run e2e`, against the cluster of KUBECONFIG. */
export const skip = process.env['E2E_CLUSTER'] === undefined && 'needs a cluster: npm run e2e';

export interface NamespaceOptions {
  /** From the start; default: yes. */
  readonly meshed?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A namespace of its own for a test, gone with it. When the test fails, what its pods and the mesh said is kept. */
export async function testNamespace(
  t: Test,
  name: string,
  options: NamespaceOptions = {},
): Promise<TestNamespace> {
  const namespace = await makeNamespace(name, options);
  t.teardown(async () => {
    if (!t.passing()) await keepEvidence(namespace.name);
    if (process.env['E2E_KEEP'] === undefined) await namespace.remove();
  });
  return namespace;
}

/** With a name that nobody else has; resolves when pods may be made in it. */
export async function makeNamespace(name: string, options: NamespaceOptions = {}): Promise<TestNamespace> {
  const namespace = new TestNamespace(`${name}-${randomBytes(2).toString('hex')}`);
  const mode = options.meshed === false ? {} : { [MODE]: 'ambient' };
  const metadata = { name: namespace.name, labels: { ...mode, 'ambient-e2e': 'true', ...options.labels } };
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata });
  await eventually(`default service account of ${namespace.name}`, READY_DEADLINE_MS, async () =>
    (await listObjects(namespace.name, 'serviceaccounts')).length > 0 ? true : 'none yet',
  );
  return namespace;
}

export class TestNamespace {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  apply(...objects: readonly JsonObject[]): Promise<void> {
    return apply(...objects.map(object => inNamespace(this.name, object)));
  }

  async delete(kind: string, name: string): Promise<void> {
    await kubectl(['delete', '-n', this.name, kind, name, '--wait=true']);
  }

  /** The namespace and everything in it; not waited for. */
  async remove(): Promise<void> {
    await kubectl(['delete', 'namespace', this.name, '--wait=false']);
  }

  /** Every pod there is, ready, and captured if the namespace is. */
  async ready(options: { readonly captured?: boolean } = {}): Promise<void> {
    await eventually(`pods of ${this.name} ready`, READY_DEADLINE_MS, async () => {
      const pods = await listObjects(this.name, 'pods');
      const waiting = pods.filter(p => !isReady(p)).map(nameOf);
      return pods.length > 0 && waiting.length === 0 ? true : `waiting for ${waiting.join(' ') || 'any pod'}`;
    });
    if (options.captured !== false) await this.captured();
  }

  /** Waits until each of the pods (all, if none is named) says that it is captured. */
  async captured(...names: readonly string[]): Promise<number> {
    return this.#redirection(names, 'enabled');
  }

  async released(...names: readonly string[]): Promise<number> {
    return this.#redirection(names, '');
  }

  async #redirection(names: readonly string[], wanted: string): Promise<number> {
    const what = wanted === '' ? 'released' : 'captured';
    return eventually(`pods of ${this.name} ${what}`, CAPTURE_DEADLINE_MS, async () => {
      // Waypoints are of the mesh without being captured.
      const which = names.length === 0 ? ['-l', `${MODE}!=none`] : [];
      const columns = `jsonpath={range .items[*]}{.metadata.name}={${REDIRECTION}}{"\\n"}{end}`;
      const lines = (await kubectl(['get', 'pods', '-n', this.name, ...which, '-o', columns]))
        .trim()
        .split('\n');
      const wrong = lines.filter(line => {
        const [name = '', value = ''] = line.split('=');
        return (
          (names.length === 0 || names.includes(name)) && (value === 'enabled') !== (wanted === 'enabled')
        );
      });
      return wrong.length === 0 ? true : `not ${what}: ${wrong.join(' ')}`;
    });
  }

  async setMode(mode: 'ambient' | undefined): Promise<void> {
    await this.label('namespace', this.name, mode === undefined ? `${MODE}-` : `${MODE}=${mode}`);
  }

  async label(kind: string, name: string, ...labels: readonly string[]): Promise<void> {
    await kubectl(['label', '--overwrite', '-n', this.name, kind, name, ...labels]);
  }

  exec(pod: string, ...argv: readonly string[]): Promise<RunResult> {
    return exec(this.name, pod, argv);
  }

  /** What an echo server saw of a request; undefined with the reason when there was no good answer. */
  async request(pod: string, url: string, ...curl: readonly string[]): Promise<Answer> {
    const argv = ['curl', '-sS', '-m', '5', '-w', '\n%{http_code}', ...curl, url];
    const { stdout, stderr } = await this.exec(pod, ...argv);
    const at = stdout.lastIndexOf('\n');
    const status = Number(stdout.slice(at + 1));
    const body = parseEcho(stdout.slice(0, Math.max(at, 0)));
    return { status, seen: body, text: stdout.slice(0, Math.max(at, 0)), error: stderr.trim() };
  }

  /** Waits until requests from a pod are answered: kube-proxy learns of a new Service a second late. */
  async reachable(pod: string, url: string, ...curl: readonly string[]): Promise<void> {
    await eventually(`${url} from ${pod}`, REACHABLE_DEADLINE_MS, async () => {
      const { status, error } = await this.request(pod, url, ...curl);
      return status === 200 ? true : `status ${status} ${error}`;
    });
  }

  /** Starts programs/load.ts in a pod. */
  load(pod: string, ...args: readonly string[]): Running {
    return startExec(this.name, pod, ['node', '/e2e/load.ts', ...args]);
  }

  async podIp(name: string): Promise<string> {
    return getField(this.name, 'pod', name, '.status.podIP');
  }

  async nodeOf(name: string): Promise<string> {
    return getField(this.name, 'pod', name, '.spec.nodeName');
  }
}

export interface Answer {
  /** 0: none. */
  readonly status: number;
  readonly seen: Echo | undefined;
  readonly text: string;
  /** Of curl. */
  readonly error: string;
}

export interface Echo {
  readonly hostname: string;
  readonly version: string;
  readonly remote: string;
  readonly headers: Readonly<Record<string, string>>;
}

function parseEcho(text: string): Echo | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || !isJsonObject(value['headers'])) return undefined;
  const headers = Object.entries(value['headers']).map(([name, v]) => [name, String(v)] as const);
  const field = (name: string): string => {
    const text = value[name];
    return typeof text === 'string' ? text : '';
  };
  return {
    hostname: field('hostname'),
    version: field('version'),
    remote: field('remote'),
    headers: Object.fromEntries(headers),
  };
}

function isReady(object: JsonObject): boolean {
  const status = object['status'];
  if (!isJsonObject(status)) return false;
  if (status['phase'] === 'Succeeded') return true;
  const conditions = status['conditions'];
  return (
    Array.isArray(conditions) &&
    conditions.some(c => isJsonObject(c) && c['type'] === 'Ready' && c['status'] === 'True')
  );
}

export function nameOf(object: JsonObject): string {
  const metadata = object['metadata'];
  return isJsonObject(metadata) ? String(metadata['name']) : '';
}

/** Names of the nodes that pods are scheduled on. */
export async function nodeNames(): Promise<string[]> {
  return (await listObjects('', 'nodes')).map(nameOf);
}

async function keepEvidence(namespace: string): Promise<void> {
  const directory = join(process.env['E2E_LOGS'] ?? 'dist-image/e2e-logs', namespace);
  mkdirSync(directory, { recursive: true });
  const keep = async (name: string, ...args: string[]): Promise<void> => {
    const { stdout, stderr } = await start('kubectl', args).done;
    writeFileSync(join(directory, name), stdout + stderr);
  };
  const everything = 'pods,services,endpointslices,gateways,httproutes,authorizationpolicies,events';
  await keep('pods.txt', 'get', 'pods', '-A', '-o', 'wide');
  await keep(
    'objects.yaml',
    'get',
    everything.replace(/,gateways,httproutes|,authorizationpolicies/g, ''),
    '-n',
    namespace,
    '-o',
    'yaml',
  );
  const logs = ['logs', '--tail=400', '--prefix', '--all-containers', '--ignore-errors'];
  await keep('ztunnel.log', ...logs, '-n', MESH_NAMESPACE, '-l', 'app.kubernetes.io/name=ztunnel');
  await keep(
    'controller.log',
    ...logs,
    '-n',
    MESH_NAMESPACE,
    '-l',
    'app.kubernetes.io/name=ambient-controller',
  );
  await keep('waypoint.log', ...logs, '-n', namespace, '-l', 'gateway.networking.k8s.io/gateway-name');
  console.log(`# evidence of ${namespace} is in ${directory}`);
}
