import type { Command } from 'commander';
import { isJsonObject } from '#shared/config/json.ts';
import { fetchJson } from '../admin-client.ts';
import { askFirst } from '../ask-proxies.ts';
import { type Cli, type CliIo, print } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { decodeConfigDump, type DumpedWorkload } from '../config-dump.ts';
import { chooseService } from '../describe/describe-service.ts';
import { podsOfWaypoint, serviceKey } from '../describe/mesh-facts.ts';
import { children, text } from '#shared/config/json-fields.ts';
import { type CommonOptions, parsePort, withCommonOptions } from '../options.ts';
import { findProxies, openProxies, type ProxyRef } from '../proxies.ts';
import type { Report } from '../render/output.ts';
import { unknownName } from '../unknown-name.ts';

interface CheckOptions extends CommonOptions {
  readonly from?: string;
  readonly port: number;
  readonly sni?: string;
}

export function addAuthz(program: Command, cli: Cli): void {
  const group = program.command('authz').description('authorization');
  const command = group
    .command('check')
    .description(
      'which policies apply to a pod (or, at its waypoint, to a service), and whether they would let a source in',
    )
    .argument('<target>', 'NAMESPACE/POD, or service/NAMESPACE/SERVICE')
    .option('--from <source>', 'NAMESPACE/POD or SPIFFE id; without it: plaintext')
    .option('--port <port>', 'destination port', parsePort, 0)
    .option('--sni <name>', 'server name of a TLS connection to a service; without it: no TLS');
  withCommonOptions(command).action(async (target: string, options: CheckOptions) => {
    const { port, from, sni } = options;
    print(cli, options, await check(target, { port, from, sni }, options, cli));
  });
}

export interface AuthzCheckOptions {
  /** SPIFFE id, `<namespace>/<pod>`, or undefined for plaintext. */
  readonly from: string | undefined;
  readonly port: number;
}

interface ServiceCheckOptions extends AuthzCheckOptions {
  /** Undefined: the connection is no TLS. */
  readonly sni: string | undefined;
}

async function check(
  target: string,
  options: ServiceCheckOptions,
  choice: CommonOptions,
  cli: Cli,
): Promise<Report> {
  if (target.startsWith(SERVICE)) {
    if (choice.adminAddress !== undefined || choice.node !== undefined)
      throw new CliError('the waypoint of a service is asked; give no --admin-address and no --node', 2);
    const proxies = await (await openProxies(choice, cli)).list();
    return serviceAuthzCheck(target.slice(SERVICE.length), options, proxies, cli);
  }
  if (options.sni !== undefined)
    throw new CliError(
      'a ztunnel reads no TLS: server names are looked at by the waypoint of a service; write service/NAMESPACE/SERVICE',
      2,
    );
  return authzCheck(target, options, await findProxies('ztunnel', choice, cli), cli);
}

const SERVICE = 'service/';

/**
 * Asks a proxy what it would decide; the proxy's own snapshot and code answer, so there is no second opinion. `target` is
 * `<namespace>/<pod>`.
 */
async function authzCheck(
  target: string,
  options: AuthzCheckOptions,
  proxies: readonly ProxyRef[],
  io: CliIo,
): Promise<Report> {
  const { proxy, answer } = await askFirst(proxies, p => fetchJson(p.admin, '/config_dump'), io);
  const { workloads } = decodeConfigDump(answer);
  return ask(proxy, new URLSearchParams({ workload: findPod(workloads, target).uid }), options, workloads);
}

/** As `authzCheck`, of a service `<namespace>/<service>`: its waypoint decides. @param proxies of all kinds */
async function serviceAuthzCheck(
  target: string,
  options: ServiceCheckOptions,
  proxies: readonly ProxyRef[],
  io: CliIo,
): Promise<Report> {
  const ztunnels = proxies.filter(({ kind }) => kind === 'ztunnel');
  if (ztunnels.length === 0) throw new CliError('no ztunnel is running');
  const { answer } = await askFirst(ztunnels, p => fetchJson(p.admin, '/config_dump'), io);
  const { services, workloads } = decodeConfigDump(answer);
  const [service] = chooseService(target)({ services, workloads }).services;
  if (service === undefined || service.waypoint === 'None')
    throw new CliError(
      `service ${target} has no waypoint, and policies for it are held by none; ask for a pod of it: NAMESPACE/POD`,
    );
  const [waypoint] = podsOfWaypoint(service.waypoint, workloads, proxies);
  if (waypoint === undefined)
    throw new CliError(`no pod of waypoint ${service.waypoint} is running; see: ambientctl waypoint list`);
  const query = new URLSearchParams({ service: serviceKey(service) });
  if (options.sni !== undefined) query.set('sni', options.sni);
  return ask(waypoint, query, options, workloads);
}

async function ask(
  proxy: ProxyRef,
  query: URLSearchParams,
  { from, port }: AuthzCheckOptions,
  workloads: readonly DumpedWorkload[],
): Promise<Report> {
  query.set('port', String(port));
  if (from !== undefined)
    query.set('source', from.startsWith('spiffe://') ? from : findPod(workloads, from).uid);
  return authzReport(await fetchJson(proxy.admin, `/authz/check?${query.toString()}`));
}

function authzReport(answer: unknown): Report {
  if (!isJsonObject(answer))
    throw new CliError('the proxy did not answer with an object; is it of another version?');
  const verdict = answer['allowed'] === true ? 'ALLOWED' : 'DENIED';
  const policies = children(answer, 'policies');
  return {
    preamble: [
      `${verdict}: ${text(answer, 'reason')}`,
      `source: ${text(answer, 'source')}`,
      `destination: ${text(answer, 'destination')}`,
    ],
    header: ['POLICY', 'ACTION', 'SCOPE', 'RULES'],
    rows: policies.map(p => [
      text(p, 'name'),
      text(p, 'action').toUpperCase() + (p['dryRun'] === true ? ' (dry run)' : ''),
      text(p, 'scope'),
      text(p, 'rules'),
    ]),
    data: answer,
    empty: 'no policy applies',
  };
}

function findPod(workloads: readonly DumpedWorkload[], name: string): DumpedWorkload {
  const found = workloads.filter(w => `${w.namespace}/${w.name}` === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length > 1)
    throw new CliError(`${name} names ${found.length} workloads: ${found.map(w => w.uid).join(', ')}`);
  throw new CliError(unknownName('pod', name, workloads));
}
