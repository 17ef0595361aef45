import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { PROXIES_FILE, stateDir } from '#shared/config/state-dir.ts';
import { type AdminTarget, parseAdminAddress } from './admin-client.ts';
import { CliError } from './cli-error.ts';

export type ProxyKind = 'ztunnel' | 'waypoint' | 'controller';

export interface ProxyRef {
  readonly name: string;
  readonly kind: ProxyKind;
  readonly node: string;
  readonly namespace: string;
  readonly admin: AdminTarget;
}

export interface ProxyChoice {
  readonly adminAddress?: string;
  readonly node?: string;
  readonly stateDir?: string;
}

/** The proxies of the kind the operator chose; never none. */
export function findProxies(
  kind: ProxyKind,
  choice: ProxyChoice,
  env: NodeJS.ProcessEnv = process.env,
): ProxyRef[] {
  if (choice.adminAddress !== undefined) {
    return [
      {
        name: choice.adminAddress,
        kind,
        node: '',
        namespace: '',
        admin: parseAdminAddress(choice.adminAddress),
      },
    ];
  }
  const ofKind = readProxies(choice, env).filter(p => p.kind === kind);
  const found = ofKind.filter(p => choice.node === undefined || p.node === choice.node);
  if (found.length > 0) return found;
  const nodes = [...new Set(ofKind.map(p => p.node))].join(', ');
  throw new CliError(
    choice.node === undefined
      ? `no ${kind} is running`
      : `no ${kind} on node ${JSON.stringify(choice.node)}; nodes: ${nodes || 'none'}`,
  );
}

export function readProxies(choice: ProxyChoice, env: NodeJS.ProcessEnv = process.env): ProxyRef[] {
  const file = join(choice.stateDir ?? stateDir(env, process.getuid?.() ?? 0), PROXIES_FILE);
  if (!existsSync(file)) {
    throw new CliError(
      `no mesh found: ${file} does not exist; start one with "ambientctl playground up" or give --admin-address`,
    );
  }
  try {
    return decodeProxies(parseJson(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new CliError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
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
    kind,
    node: text('node'),
    namespace: text('namespace'),
    admin: { socketPath: text('adminSocket') },
  };
}
