import type { Command } from 'commander';
import { errorMessage } from '#shared/observability/error-message.ts';
import { fetchJson } from '../admin-client.ts';
import { type Cli, print } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { type CommonOptions, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { openProxies, type ProxyRef } from '../proxies.ts';
import { ageOf } from '../render/age.ts';
import type { Report } from '../render/output.ts';
import { decodeSyncStatus, type SyncedProxy, type SyncedType, TYPE_NAMES } from '../sync-status.ts';

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
    for (const why of failed) cli.stderr(`warning: ${why}\n`);
    const shown = proxies.filter(p => p.kind !== 'controller' && agrees(options, p));
    print(cli, options, proxyStatusReport(known, shown, cli.now()));
  });
}

/** Each replica knows the proxies connected to it. @throws CliError when none answers */
async function askControllers(
  controllers: readonly ProxyRef[],
): Promise<{ readonly known: readonly SyncedProxy[]; readonly failed: readonly string[] }> {
  const answers = await Promise.allSettled(
    controllers.map(async c => decodeSyncStatus(await fetchJson(c.admin, '/debug/syncz'), c.name)),
  );
  const known = answers.flatMap(a => (a.status === 'fulfilled' ? a.value : []));
  const failed = answers.flatMap(a => (a.status === 'rejected' ? [errorMessage(a.reason)] : []));
  if (failed.length === controllers.length) throw new CliError(failed[0] ?? 'no controller answered');
  return { known, failed };
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
  const rows = running.map(proxy => {
    const name = proxy.namespace === '' ? proxy.name : `${proxy.name}.${proxy.namespace}`;
    return { name, status: known.find(k => isOf(k, proxy)) };
  });
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

/** The controller knows a proxy by its pod, `<pod>.<namespace>`. */
function isOf({ name }: SyncedProxy, { pod, namespace }: ProxyRef): boolean {
  return namespace === '' ? name.startsWith(`${pod}.`) : name === `${pod}.${namespace}`;
}

/** `synced (2m)` since the last answer, `stale (5s)` since the push that is not answered. */
function stateText(type: SyncedType | undefined, nowMs: number): string {
  if (type === undefined) return '-';
  const since = ageOf(type.state === 'stale' ? type.sentAt : type.answeredAt, nowMs);
  const waiting = type.pending > 0 ? `, ${type.pending} pending` : '';
  return `${type.state} (${since}${waiting})`;
}
