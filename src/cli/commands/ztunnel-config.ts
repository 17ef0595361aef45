import type { Command } from 'commander';
import { askEach } from '../ask-proxies.ts';
import { type Cli, type CliIo, print } from '../cli.ts';
import { type ConfigDump, decodeConfigDump } from '../config-dump.ts';
import { children, text } from '#shared/config/json-fields.ts';
import { fetchJson } from '../admin-client.ts';
import { type CommonOptions, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { findProxies, type ProxyRef } from '../proxies.ts';
import type { Report } from '../render/output.ts';
import { isJsonObject } from '#shared/config/json.ts';

/** Which of a ztunnel's tables is shown. */
export const TABLES = ['workloads', 'services', 'policies', 'certificates', 'connections'] as const;
export type Table = (typeof TABLES)[number];

export interface TableFilter {
  readonly namespace?: string;
}

export function addZtunnelConfig(program: Command, cli: Cli): void {
  const group = program.command('ztunnel-config').alias('zc').description('what the ztunnels know and hold');
  for (const table of TABLES) {
    const command = group.command(table).alias(singular(table)).description(`${table} of the ztunnels`);
    withNamespaceFilter(withCommonOptions(command)).action(async (options: CommonOptions) =>
      print(
        cli,
        options,
        await ztunnelConfig(table, await findProxies('ztunnel', options, cli), options, cli),
      ),
    );
  }
}

function singular(table: string): string {
  return table.endsWith('ies') ? `${table.slice(0, -3)}y` : table.slice(0, -1);
}

/** What several ztunnels know is shown once: they get the same configuration, but each its own connections and certificates. */
async function ztunnelConfig(
  table: Table,
  proxies: readonly ProxyRef[],
  filter: TableFilter,
  io: CliIo,
): Promise<Report> {
  const path = table === 'connections' ? '/debug/connections' : '/config_dump';
  const answers = await askEach(proxies, p => fetchJson(p.admin, path), io);
  const said = answers.map(({ answer }) => answer);
  return table === 'connections'
    ? connectionsReport(said, filter)
    : REPORTS[table](said.map(decodeConfigDump), filter);
}

type DumpReport = (dumps: readonly ConfigDump[], filter: TableFilter) => Report;

const REPORTS: Readonly<Record<Exclude<Table, 'connections'>, DumpReport>> = {
  workloads: workloadsReport,
  services: servicesReport,
  policies: policiesReport,
  certificates: certificatesReport,
};

function workloadsReport(dumps: readonly ConfigDump[], filter: TableFilter): Report {
  const workloads = merge(
    dumps.flatMap(d => d.workloads),
    w => w.uid,
    filter,
  );
  return {
    header: ['NAMESPACE', 'POD NAME', 'ADDRESS', 'NODE', 'WAYPOINT', 'PROTOCOL'],
    rows: workloads.map(w => [
      w.namespace,
      w.name,
      w.addresses.join(',') || '-',
      w.node || '-',
      w.waypoint,
      w.protocol,
    ]),
    data: workloads.map(w => w.raw),
    empty: emptyTable(
      filter,
      'workloads',
      dumps,
      ': is the controller connected? try: ambientctl proxy-status',
    ),
  };
}

function servicesReport(dumps: readonly ConfigDump[], filter: TableFilter): Report {
  const services = merge(
    dumps.flatMap(d => d.services),
    s => `${s.namespace}/${s.hostname}`,
    filter,
  );
  const workloads = merge(
    dumps.flatMap(d => d.workloads),
    w => w.uid,
    {},
  );
  return {
    header: ['NAMESPACE', 'SERVICE NAME', 'SERVICE VIP', 'WAYPOINT', 'ENDPOINTS'],
    rows: services.map(s => {
      const members = workloads.filter(w => w.serviceNames.includes(`${s.namespace}/${s.hostname}`));
      const healthy = members.filter(w => w.status !== 'unhealthy').length;
      return [s.namespace, s.name, s.vips.join(',') || '-', s.waypoint, `${healthy}/${members.length}`];
    }),
    data: services.map(s => s.raw),
    empty: emptyTable(filter, 'services', dumps, ''),
  };
}

function policiesReport(dumps: readonly ConfigDump[], filter: TableFilter): Report {
  const policies = merge(
    dumps.flatMap(d => d.policies),
    p => `${p.namespace}/${p.name}`,
    filter,
  );
  return {
    header: ['NAMESPACE', 'POLICY NAME', 'ACTION', 'SCOPE'],
    rows: policies.map(p => [p.namespace, p.name, p.action, p.scope]),
    data: policies.map(p => p.raw),
    empty: emptyTable(filter, 'policies', dumps, ': all traffic is allowed'),
  };
}

function certificatesReport(dumps: readonly ConfigDump[], filter: TableFilter): Report {
  const certificates = dumps
    .flatMap(d => d.certificates)
    .filter(c => filter.namespace === undefined || c.identity.includes(`/ns/${filter.namespace}/`));
  return {
    header: ['CERTIFICATE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE'],
    rows: certificates.flatMap(c =>
      c.chain.length === 0
        ? [[c.identity, '-', c.state, 'false', '-', '-', '-']]
        : c.chain.map(x => [c.identity, x.type, c.state, String(x.valid), x.serial, x.notAfter, x.notBefore]),
    ),
    data: certificates.map(c => c.raw),
    empty: emptyTable(filter, 'certificates', dumps, ': no pod of this node is in the mesh'),
  };
}

function connectionsReport(answers: readonly unknown[], filter: TableFilter): Report {
  const connections = answers
    .flatMap(answer => (isJsonObject(answer) ? children(answer, 'connections') : []))
    .filter(c => filter.namespace === undefined || text(c, 'workload').startsWith(`${filter.namespace}/`))
    .sort((a, b) => text(a, 'workload').localeCompare(text(b, 'workload')));
  return {
    header: ['WORKLOAD', 'DIRECTION', 'LOCAL', 'REMOTE', 'REMOTE TARGET', 'PROTOCOL'],
    rows: connections.map(c => [
      text(c, 'workload'),
      text(c, 'direction'),
      text(c, 'local'),
      text(c, 'remote'),
      text(c, 'remoteTarget') || '-',
      text(c, 'protocol'),
    ]),
    data: connections,
    empty:
      filter.namespace === undefined ? 'no connections' : `no connections in namespace ${filter.namespace}`,
  };
}

/** With a namespace the reason may be its name: those that there are stand beside it. */
function emptyTable(filter: TableFilter, what: Table, dumps: readonly ConfigDump[], reason: string): string {
  if (filter.namespace === undefined) return `no ${what}${reason}`;
  const namespaces = dumps.flatMap(d => [...d.workloads, ...d.services].map(({ namespace }) => namespace));
  const known = [...new Set(namespaces)].sort();
  return known.includes(filter.namespace)
    ? `no ${what} in namespace ${filter.namespace}`
    : `no ${what}: the ztunnels know nothing of namespace ${JSON.stringify(filter.namespace)}; they know ${known.join(', ') || 'none'}`;
}

function merge<T extends { readonly namespace: string }>(
  items: readonly T[],
  key: (item: T) => string,
  filter: TableFilter,
): T[] {
  const unique = new Map(items.map(item => [key(item), item]));
  return [...unique]
    .filter(([, item]) => filter.namespace === undefined || item.namespace === filter.namespace)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, item]) => item);
}
