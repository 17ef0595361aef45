import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { type Instance, isRunning, readInstance } from './instance.ts';
import { checkMachine, userNamespaceCommand } from './machine.ts';
import { describeRef, parseManifest } from './objects/kube-object.ts';
import { ObjectStore } from './objects/object-store.ts';
import { isReportedReady } from './objects/pod-status.ts';
import { logTail, waitUntil } from './process/mesh-process.ts';
import { cleanUp } from './playground.ts';
import { type StateLayout, stateLayout } from './state-layout.ts';
import { userNamespaceEnvironment } from './user-namespace.ts';

/**
 * What `ambientctl playground …` does: a playground in a process of its own, found by its state directory. All functions
 * throw with a message for the operator.
 */
const SUPERVISOR = fileURLToPath(new URL('./supervisor.ts', import.meta.url));
const UP_MS = 240_000;
const DOWN_MS = 30_000;

/** Starts a playground with these manifests and resolves when it is ready. It runs until `playgroundDown`. */
export async function playgroundUp(
  stateDir: string,
  manifests: readonly string[],
  report: (line: string) => void,
): Promise<void> {
  const argv = ['--disable-warning=ExperimentalWarning', SUPERVISOR, ...manifests];
  const { mode } = checkMachine(report);
  const [program = '', ...args] =
    mode === 'user-namespace' ? userNamespaceCommand(argv) : [process.execPath, ...argv];
  const environment = { ...process.env, AMBIENT_STATE_DIR: stateDir };
  const logPath = `${stateDir}.log`;
  mkdirSync(dirname(logPath), { recursive: true });
  const log = openSync(logPath, 'w', 0o600);
  const child = spawn(program, args, {
    env: mode === 'user-namespace' ? userNamespaceEnvironment(environment) : environment,
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  });
  closeSync(log);
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = systemClock.setTimer(UP_MS, () => reject(new Error(`not up within ${UP_MS / 1000} s`)));
      child.on('message', message => {
        if (!isJsonObject(message)) return;
        if (message['kind'] === 'report') report(String(message['line']));
        else if (message['kind'] === 'ready') resolve();
        else if (message['kind'] === 'failed') reject(new Error(String(message['line'])));
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`the playground ended: ${logTail(logPath)}`)));
      child.once('exit', () => timer.cancel());
    });
  } finally {
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Ends the playground and removes what it left. @returns false when there was none. */
export async function playgroundDown(stateDir: string): Promise<boolean> {
  const layout = stateLayout(stateDir);
  const instance = readInstance(layout);
  if (instance === undefined && !existsSync(layout.root)) return false;
  if (instance !== undefined && isRunning(instance)) {
    process.kill(instance.pid, 'SIGTERM');
    const culprit = (): string => `process ${instance.pid} does not end; end it with kill -9 and try again`;
    await waitUntil(systemClock, DOWN_MS, () => !isRunning(instance), culprit);
  }
  cleanUp(stateDir);
  return true;
}

/** Adds or replaces the objects of a YAML file (of this directory, not the repository's). @returns their names. */
export function playgroundApply(stateDir: string, file: string): string[] {
  const store = runningStore(stateDir);
  return parseManifest(readFileSync(file, 'utf8'), file).map(object => {
    store.apply(object);
    return describeRef(object);
  });
}

/** @returns the names of the objects that were there. */
export function playgroundDelete(stateDir: string, file: string): string[] {
  const store = runningStore(stateDir);
  return parseManifest(readFileSync(file, 'utf8'), file)
    .filter(object => store.remove(object))
    .map(describeRef);
}

export interface PlaygroundStatus {
  readonly pid: number;
  readonly mode: Instance['mode'];
  readonly stateDir: string;
  readonly pods: readonly {
    readonly name: string;
    readonly node: string;
    readonly ip: string;
    readonly ready: boolean;
    readonly captured: boolean;
  }[];
  readonly proxies: readonly { readonly name: string; readonly kind: string; readonly node: string }[];
}

/** Undefined when no playground runs. */
export function playgroundStatus(stateDir: string): PlaygroundStatus | undefined {
  const layout = stateLayout(stateDir);
  const instance = readInstance(layout);
  if (instance === undefined || !isRunning(instance)) return undefined;
  const store = new ObjectStore(layout.objects, layout.staging);
  store.refresh();
  const pods = store.list('Pod').map(pod => {
    const { spec, status, metadata } = pod.body;
    const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined;
    return {
      name: `${pod.namespace}/${pod.name}`,
      node: textAt(spec, 'nodeName'),
      ip: textAt(status, 'podIP'),
      ready: isReportedReady(pod),
      captured: textAt(annotations, 'ambient.istio.io/redirection') === 'enabled',
    };
  });
  return { pid: instance.pid, mode: instance.mode, stateDir, pods, proxies: readProxies(layout) };
}

function readProxies(layout: StateLayout): PlaygroundStatus['proxies'] {
  const file = existsSync(layout.proxiesFile)
    ? parseJson(readFileSync(layout.proxiesFile, 'utf8'))
    : undefined;
  const list = isJsonObject(file) ? file['proxies'] : undefined;
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => ({
    name: textAt(entry, 'name'),
    kind: textAt(entry, 'kind'),
    node: textAt(entry, 'node'),
  }));
}

function textAt(object: unknown, field: string): string {
  const value = isJsonObject(object) ? object[field] : undefined;
  return typeof value === 'string' ? value : '';
}

function runningStore(stateDir: string): ObjectStore {
  const layout = stateLayout(stateDir);
  const instance = readInstance(layout);
  if (instance === undefined || !isRunning(instance)) {
    throw new Error(
      `no playground runs in ${stateDir}; start one with "ambientctl playground up" or "npm run demo"`,
    );
  }
  return new ObjectStore(layout.objects, layout.staging);
}
