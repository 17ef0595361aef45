import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeAbandoned, stagedPath } from '#shared/state/staged-file.ts';
import { watchDirectory } from '#shared/state/watch-directory.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { ClusterAccess, CniInstallConfig } from '../../config/node-agent-config.ts';
import { isSameFile } from './same-file.ts';
import { chained, PLUGIN_TYPE, type PluginEntry, unchained } from './conflist.ts';

export interface ChainKeeperOptions {
  readonly config: CniInstallConfig;
  readonly socket: string;
  readonly access: ClusterAccess;
  readonly excludedNamespaces: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onState: (state: ChainState) => void;
}

export type ChainState =
  | { readonly installed: true; readonly file: string }
  | { readonly installed: false; readonly reason: string };

/** Directory, beside the configurations, of what the plugin asks the API server with when no ztunnel answers. */
const CREDENTIALS = 'ambient-cni.d';
/** Another CNI may write its list anew at any time; tokens live an hour. */
const CHECK_MS = 10_000;
const SETTLE_MS = 20;
const MAX_CONF_BYTES = 1 << 20;
const CONF_FILE = /^[^.].*\.(?:conf|conflist|json)$/;

/**
 * Puts the plugin's executable on the node, and keeps the plugin in the list of the network that the container runtime
 * uses: the first of the directory. What was there before is not touched otherwise. Stopping leaves everything, so that
 * pods that are started meanwhile wait for the next ztunnel.
 */
export class ChainKeeper {
  readonly #options: ChainKeeperOptions;
  readonly #logger: Logger;
  #state: ChainState = { installed: false, reason: 'not looked at yet' };
  #unwatch: (() => void) | undefined;
  #timer: Timer | undefined;
  #steps: Promise<void> = Promise.resolve();
  #stopped = false;
  #wasChained = false;
  /** This release's executable has been put into place once. */
  #isInstalled = false;

  constructor(options: ChainKeeperOptions) {
    this.#options = options;
    this.#logger = options.logger.child('cni');
  }

  get state(): ChainState {
    return this.#state;
  }

  /** Never rejects: what is not there yet, or cannot be written, is waited for, and pods that are captured are served meanwhile. */
  async start(): Promise<void> {
    const { binDir, confDir } = this.#options.config;
    for (const directory of [binDir, confDir]) removeAbandoned(directory, `.${PLUGIN_TYPE}`);
    this.#unwatch = watchDirectory(confDir, {
      onChange: name => {
        if (name === null || CONF_FILE.test(name)) this.#checkAfter(SETTLE_MS);
      },
      onFailure: error => this.#logger.warn('watch failed; checks go on', { error }),
    });
    await this.check();
  }

  /** Compares, and repairs. Never rejects. */
  check(): Promise<void> {
    this.#steps = this.#steps.then(() => this.#check());
    return this.#steps;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unwatch?.();
    this.#timer?.cancel();
    await this.#steps;
  }

  /** Takes the plugin out of every list, then its executable away. Stops. */
  async uninstall(): Promise<void> {
    await this.stop();
    const { confDir, binDir } = this.#options.config;
    for (const name of await this.#confFiles()) {
      const change = unchained(await readFile(join(confDir, name), 'utf8'));
      if (change.kind === 'changed') await replaceFile(confDir, name, change.text);
    }
    await rm(join(binDir, PLUGIN_TYPE), { force: true });
    await rm(join(confDir, CREDENTIALS), { recursive: true, force: true });
    this.#logger.info('the CNI plugin is uninstalled');
  }

  async #check(): Promise<void> {
    if (this.#stopped) return;
    try {
      const notInstalled = await this.#installPlugin();
      await this.#restorePlugin();
      await this.#writeCredentials();
      const state = await this.#chain();
      this.#set(notInstalled === undefined ? state : { installed: false, reason: notInstalled });
    } catch (error) {
      this.#set({ installed: false, reason: errorMessage(error) });
    }
    this.#checkAfter(CHECK_MS);
  }

  #checkAfter(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.check());
  }

  async #chain(): Promise<ChainState> {
    const { confDir } = this.#options.config;
    const [name] = await this.#confFiles();
    if (name === undefined) {
      return {
        installed: false,
        reason: `${confDir} has no network yet: the network plugin comes first`,
      };
    }
    const path = join(confDir, name);
    const { size } = await stat(path);
    if (size > MAX_CONF_BYTES) throw new Error(`${path} is longer than ${MAX_CONF_BYTES} bytes`);
    const change = chained(await readFile(path, 'utf8'), this.#entry());
    if (change.kind === 'unusable') {
      return { installed: false, reason: `${path}: ${change.reason}` };
    }
    if (change.kind === 'unchanged') this.#wasChained = true;
    else {
      await replaceFile(confDir, name, change.text);
      if (this.#wasChained) this.#logger.warn('the CNI chain was without the plugin: repaired', { path });
      else this.#logger.info('the CNI plugin is chained', { path });
      this.#wasChained = true;
    }
    return { installed: true, file: path };
  }

  /** In the order in which container runtimes look at them. */
  async #confFiles(): Promise<string[]> {
    return (await readdir(this.#options.config.confDir)).filter(name => CONF_FILE.test(name)).sort();
  }

  #entry(): PluginEntry {
    const { socket, access, excludedNamespaces, config } = this.#options;
    return {
      type: PLUGIN_TYPE,
      socket,
      failOpen: config.failOpen,
      excludedNamespaces,
      api: {
        host: access.host,
        port: access.port,
        accountDir: join(config.confDirOnNode, CREDENTIALS),
      },
    };
  }

  /** Once. @returns why it could not be: where another release's is there, that one serves meanwhile */
  async #installPlugin(): Promise<string | undefined> {
    if (this.#isInstalled) return undefined;
    const target = this.#pluginPath();
    try {
      if (!(await isSameFile(this.#options.config.plugin, target))) {
        await this.#copyPlugin(target);
        this.#logger.info('the CNI plugin is installed', { path: target });
      }
      this.#isInstalled = true;
      return undefined;
    } catch (error) {
      return `${target} is not of this release, and cannot be written: ${errorMessage(error)}`;
    }
  }

  /** Chained and not there, no pod of the node would start. Another release's file stays: its ztunnel is in charge, or comes to be. */
  async #restorePlugin(): Promise<void> {
    const target = this.#pluginPath();
    if (await isProgram(target)) return;
    try {
      await this.#copyPlugin(target);
    } catch (error) {
      throw new Error(
        `no pod starts on this node: ${target} is missing and cannot be written: ${errorMessage(error)}`,
        { cause: error },
      );
    }
    this.#logger.warn('the executable of the CNI plugin was missing: repaired', { path: target });
  }

  #pluginPath(): string {
    return join(this.#options.config.binDir, PLUGIN_TYPE);
  }

  /** A plugin that is running keeps its own file. */
  async #copyPlugin(target: string): Promise<void> {
    const { plugin, binDir } = this.#options.config;
    const staged = stagedPath(join(binDir, `.${PLUGIN_TYPE}`));
    try {
      await copyFile(plugin, staged);
      await chmod(staged, 0o755);
      await rename(staged, target);
    } catch (error) {
      // On a disk that is full a part of it would be in the way of everybody else.
      await rm(staged, { force: true });
      throw error;
    }
  }

  async #writeCredentials(): Promise<void> {
    const { access, config } = this.#options;
    const directory = join(config.confDir, CREDENTIALS);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of ['token', 'ca.crt']) {
      const text = await readFile(join(access.accountDir, name), 'utf8');
      const before = await readFile(join(directory, name), 'utf8').catch(() => undefined);
      if (before === text) continue;
      const staged = stagedPath(join(directory, `.${name}`));
      await writeFile(staged, text, { mode: 0o600 });
      await rename(staged, join(directory, name));
    }
  }

  #set(state: ChainState): void {
    if (!state.installed && JSON.stringify(state) !== JSON.stringify(this.#state)) {
      this.#logger.warn('the CNI plugin is not in the chain', { reason: state.reason });
    }
    this.#state = state;
    this.#options.onState(state);
  }
}

/** Whether a runtime can start it; what it does is not looked at. */
async function isProgram(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.isFile() && found.size > 0 && (found.mode & 0o111) !== 0;
}

/** Keeps the mode: some networks' configurations hold secrets. */
async function replaceFile(directory: string, name: string, text: string): Promise<void> {
  const path = join(directory, name);
  const staged = stagedPath(join(directory, `.${PLUGIN_TYPE}.${name}`));
  const { mode } = await stat(path);
  await writeFile(staged, text, { mode: 0o600 });
  await chmod(staged, mode & 0o777);
  await rename(staged, path);
}
