import type { Command } from 'commander';
import { VERSION } from '#shared/config/version.ts';
import { fetchJson } from '../admin-client.ts';
import { type Cli, print } from '../cli.ts';
import { cliErrorOf } from '../cli-error.ts';
import { decodeConfigDump } from '../config-dump.ts';
import { type CommonOptions, withCommonOptions } from '../options.ts';
import { allProxies, type ProxyRef } from '../proxies.ts';
import type { Report } from '../render/output.ts';

export function addVersion(program: Command, cli: Cli): void {
  const command = program.command('version').description('versions of the client and of every proxy');
  withCommonOptions(command).action(async (options: CommonOptions) =>
    print(cli, options, await versionReport(await allProxies(options, cli))),
  );
}

/** The client's version and that of every proxy it can reach. */
async function versionReport(proxies: readonly ProxyRef[]): Promise<Report> {
  const answers = await Promise.all(
    proxies.map(async p => ({ ...describe(p), version: await versionOf(p) })),
  );
  const entries = [{ component: 'client', name: 'ambientctl', version: VERSION }, ...answers];
  return {
    header: ['COMPONENT', 'NAME', 'VERSION'],
    rows: entries.map(e => [e.component, e.name, e.version]),
    data: entries,
    empty: '',
  };
}

function describe(proxy: ProxyRef): { component: string; name: string } {
  return { component: proxy.kind, name: proxy.name };
}

/** A proxy that does not answer is shown as such: this command is what one runs when something is wrong. */
async function versionOf(proxy: ProxyRef): Promise<string> {
  try {
    return decodeConfigDump(await fetchJson(proxy.admin, '/config_dump')).version || 'unknown';
  } catch (error) {
    return `unreachable (${cliErrorOf(error).message})`;
  }
}
