import type { Command } from 'commander';
import { type Cli, print } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { type CommonOptions, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { openProxies, type ProxyRef } from '../proxies.ts';
import { ageOf } from '../render/age.ts';
import type { Report } from '../render/output.ts';
import { askControllers, standings } from '../proxy-standing.ts';
import { type SyncedProxy, type SyncedType, TYPE_NAMES } from '../sync-status.ts';

/** `ambientctl proxy-status`: what each proxy has acknowledged, as the controllers know it. */
export function addProxyStatus(program: Command, cli: Cli): void {
  const command = program
    .command('proxy-status')
    .alias('ps')
    .description('whether each proxy has acknowledged what the controller sent, and when');
  withNamespaceFilter(withCommonOptions(command)).action(async (options: CommonOptions) => {
    const proxies = await (await openProxies(options, cli)).list();
    const controllers = proxies.filter(p => p.kind === 'controller');
    if (controllers.length === 0) throw new CliError('no controller is running');
    const { known, failed } = await askControllers(controllers);
    const [first] = failed;
    if (first !== undefined && failed.length === controllers.length) throw new CliError(first);
    for (const why of failed) cli.stderr(`warning: ${why}\n`);
    const shown = proxies.filter(p => p.kind !== 'controller' && agrees(options, p));
    print(cli, options, proxyStatusReport(known, shown, cli.now()));
  });
}

function agrees(options: CommonOptions, proxy: ProxyRef): boolean {
  return (
    (options.namespace === undefined || proxy.namespace === options.namespace) &&
    (options.node === undefined || proxy.node === options.node)
  );
}

/** A proxy that runs and that no controller knows is shown too: that is the one to look at. */
function proxyStatusReport(
  known: readonly SyncedProxy[],
  running: readonly ProxyRef[],
  nowMs: number,
): Report {
  const rows = standings(known, running);
  const columns = Object.values(TYPE_NAMES);
  const refusals = rows.flatMap(({ name, status }) =>
    (status?.types ?? [])
      .filter(type => type.state === 'nack')
      .map(type => `${name} has refused ${type.type}: ${type.lastNack}`),
  );
  return {
    preamble: refusals,
    header: ['NAME', 'CLUSTER', 'CONTROLLER', 'VERSION', ...columns.map(c => c.toUpperCase())],
    rows: rows.map(({ name, status }) =>
      status === undefined
        ? [name, '-', 'not connected', '-', ...columns.map(() => '-')]
        : [
            name,
            status.cluster || '-',
            status.controller,
            status.version || '-',
            ...columns.map(column =>
              stateText(
                status.types.find(t => t.type === column),
                nowMs,
              ),
            ),
          ],
    ),
    data: rows.map(({ name, status }) => ({ ...status, name, connected: status !== undefined })),
    empty: 'no proxy is running',
  };
}

/** `synced (2m)` since the last answer, `stale (5s)` since the push that is not answered. */
function stateText(type: SyncedType | undefined, nowMs: number): string {
  if (type === undefined) return '-';
  const since = ageOf(type.state === 'stale' ? type.sentAt : type.answeredAt, nowMs);
  const waiting = type.pending > 0 ? `, ${type.pending} pending` : '';
  return `${type.state} (${since}${waiting})`;
}
