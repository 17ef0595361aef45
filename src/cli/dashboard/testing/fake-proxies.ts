import { CliError } from '../../cli-error.ts';
import type { Proxies, ProxyKind, ProxyRef } from '../../proxies.ts';
import type { AskProxy } from '../ask-mesh.ts';

/** Proxies that say what a test wants: pages by `name path`. */
export class FakeProxies implements Proxies {
  readonly origin = 'a mesh of a test';
  readonly api = undefined;
  readonly refs: ProxyRef[] = [];
  readonly pages = new Map<string, unknown>();
  /** Lines of their logs, by name. */
  readonly logs = new Map<string, string[]>();
  /** What was asked. */
  readonly asked: string[] = [];
  isGone = false;

  add(kind: ProxyKind, name: string, pages: Readonly<Record<string, unknown>> = {}): this {
    const admin = { socketPath: `/nowhere/${name}` };
    this.refs.push({ kind, name, pod: `${name}-0`, node: 'node-a', namespace: 'shop', admin });
    for (const [path, page] of Object.entries(pages)) this.pages.set(`${name} ${path}`, page);
    return this;
  }

  list(): Promise<readonly ProxyRef[]> {
    return this.isGone ? Promise.reject(new CliError('no mesh found')) : Promise.resolve([...this.refs]);
  }

  log(
    proxy: ProxyRef,
    _options: unknown,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    for (const line of this.logs.get(proxy.name) ?? []) onLine(line);
    return new Promise(resolve => signal.addEventListener('abort', () => resolve()));
  }

  /** An absent page is one that does not answer. */
  readonly ask: AskProxy = {
    json: (proxy, path) => this.#page(proxy, path),
    text: async (proxy, path) => String(await this.#page(proxy, path)),
  };

  #page({ name }: ProxyRef, path: string): Promise<unknown> {
    this.asked.push(`${name} ${path}`);
    const page = this.pages.get(`${name} ${path}`);
    return page === undefined
      ? Promise.reject(new CliError(`cannot reach ${name}: it is silent`))
      : Promise.resolve(page);
  }
}
