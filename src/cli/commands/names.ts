import { Argument, type Command } from 'commander';
import { fetchJson } from '../admin-client.ts';
import { askFirst } from '../ask-proxies.ts';
import type { Cli } from '../cli.ts';
import { decodeConfigDump } from '../config-dump.ts';
import { type CommonOptions, withCommonOptions } from '../options.ts';
import { openProxies, type ProxyRef } from '../proxies.ts';

export const NAME_KINDS = ['pods', 'services', 'namespaces', 'nodes', 'proxies'] as const;
export type NameKind = (typeof NAME_KINDS)[number];

/** `ambientctl names KIND…`: what shells complete, and scripts loop over. */
export function addNames(program: Command, cli: Cli): void {
  const command = program
    .command('names')
    .description('names of what the mesh knows, a line each; completion asks for them')
    .addArgument(new Argument('<kind...>', 'pods, services, …').choices(NAME_KINDS));
  withCommonOptions(command).action(async (kinds: NameKind[], options: CommonOptions) => {
    const proxies = await (await openProxies(options, cli)).list();
    const names = await Promise.all(kinds.map(kind => namesOf(kind, proxies, cli)));
    for (const name of new Set(names.flat())) cli.stdout(`${name}\n`);
  });
}

async function namesOf(kind: NameKind, proxies: readonly ProxyRef[], cli: Cli): Promise<readonly string[]> {
  if (kind === 'proxies') return proxies.map(({ name }) => name);
  const ztunnels = proxies.filter(p => p.kind === 'ztunnel');
  if (kind === 'nodes') return ztunnels.map(({ node }) => node).sort();
  const { answer } = await askFirst(ztunnels, p => fetchJson(p.admin, '/config_dump'), cli);
  const { services, workloads } = decodeConfigDump(answer);
  const known = kind === 'services' ? services : workloads;
  return known.map(o => (kind === 'namespaces' ? o.namespace : `${o.namespace}/${o.name}`)).sort();
}
