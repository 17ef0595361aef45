import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '#shared/config/env-reader.ts';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { PROXIES_FILE, stateDir } from '#shared/config/state-dir.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { isRunning, readInstance } from '../playground/instance.ts';
import { stateLayout } from '../playground/state-layout.ts';
import { CliError } from './cli-error.ts';
import { followFile } from './follow-file.ts';
import type { LogTail, Proxies, ProxyRef } from './proxies.ts';

export function isPlaygroundRunning(dir: string): boolean {
  const instance = readInstance(stateLayout(dir));
  return instance !== undefined && isRunning(instance);
}

/** The proxies of a mesh on this machine, by the list it keeps in its state directory. */
export class PlaygroundProxies implements Proxies {
  readonly dir: string;
  readonly api = undefined;

  /** Without a directory the one of `AMBIENT_STATE_DIR`, else the usual one. */
  constructor(dir: string | undefined, env: Environment) {
    this.dir = dir ?? stateDir(env, process.getuid?.() ?? 0);
  }

  get origin(): string {
    return `the mesh of ${this.dir}`;
  }

  list(): Promise<readonly ProxyRef[]> {
    const file = join(this.dir, PROXIES_FILE);
    if (!existsSync(file)) {
      throw new CliError(
        `no mesh found: ${file} does not exist; start one with "ambientctl playground up" or give --admin-address`,
      );
    }
    try {
      return Promise.resolve(decodeProxies(parseJson(readFileSync(file, 'utf8'))));
    } catch (error) {
      throw new CliError(`${file}: ${errorMessage(error)}`);
    }
  }

  log(proxy: ProxyRef, tail: LogTail, onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
    return followFile(stateLayout(this.dir).logOf(proxy.name), tail, onLine, signal);
  }
}

function decodeProxies(value: unknown): ProxyRef[] {
  const list = isJsonObject(value) ? value['proxies'] : undefined;
  if (!Array.isArray(list)) throw new Error('"proxies" is not a list');
  return list.map(decodeProxy);
}

function decodeProxy(value: unknown, index: number): ProxyRef {
  const entry = isJsonObject(value) ? value : {};
  const text = (field: string): string => {
    const v = entry[field];
    if (typeof v !== 'string') throw new Error(`proxies[${index}].${field} is not text`);
    return v;
  };
  const kind = text('kind');
  if (kind !== 'ztunnel' && kind !== 'waypoint' && kind !== 'controller')
    throw new Error(`proxies[${index}].kind is ${kind}`);
  return {
    name: text('name'),
    pod: entry['pod'] === undefined ? text('name') : text('pod'),
    kind,
    node: text('node'),
    namespace: text('namespace'),
    admin: { socketPath: text('adminSocket') },
  };
}
