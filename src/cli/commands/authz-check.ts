import type { Command } from 'commander';
import { isJsonObject } from '#shared/config/json.ts';
import { fetchJson } from '../admin-client.ts';
import { type Cli, print } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { decodeConfigDump, type DumpedWorkload } from '../config-dump.ts';
import { objects, text } from '../json-fields.ts';
import { type CommonOptions, parsePort, withCommonOptions } from '../options.ts';
import { findProxies, type ProxyRef } from '../proxies.ts';
import type { Report } from '../render/output.ts';

interface CheckOptions extends CommonOptions {
  readonly from?: string;
  readonly port: number;
}

export function addAuthz(program: Command, cli: Cli): void {
  const group = program.command('authz').description('authorization');
  const command = group
    .command('check')
    .description('which policies apply to a pod, and whether they would let a source in')
    .argument('<pod>', 'NAMESPACE/POD')
    .option('--from <source>', 'NAMESPACE/POD or SPIFFE id; without it: plaintext')
    .option('--port <port>', 'destination port', parsePort, 0);
  withCommonOptions(command).action(async (pod: string, options: CheckOptions) => {
    const { port, from } = options;
    print(cli, options, await authzCheck(pod, { port, from }, await findProxies('ztunnel', options, cli)));
  });
}

export interface AuthzCheckOptions {
  /** SPIFFE id, `<namespace>/<pod>`, or undefined for plaintext. */
  readonly from: string | undefined;
  readonly port: number;
}

/**
 * Asks a proxy what it would decide; the proxy's own snapshot and code answer, so there is no second opinion. `target` is
 * `<namespace>/<pod>`.
 */
export async function authzCheck(
  target: string,
  options: AuthzCheckOptions,
  proxies: readonly ProxyRef[],
): Promise<Report> {
  const proxy = proxies[0];
  if (proxy === undefined) throw new CliError('no ztunnel is running');
  const { workloads } = decodeConfigDump(await fetchJson(proxy.admin, '/config_dump'));
  const query = new URLSearchParams({ workload: findPod(workloads, target).uid, port: String(options.port) });
  if (options.from !== undefined) {
    query.set(
      'source',
      options.from.startsWith('spiffe://') ? options.from : findPod(workloads, options.from).uid,
    );
  }
  return authzReport(await fetchJson(proxy.admin, `/authz/check?${query.toString()}`));
}

export function authzReport(answer: unknown): Report {
  if (!isJsonObject(answer))
    throw new CliError('the proxy did not answer with an object; is it of another version?');
  const verdict = answer['allowed'] === true ? 'ALLOWED' : 'DENIED';
  const policies = objects(answer, 'policies');
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
  const near = workloads
    .filter(w => w.name === (name.split('/').at(-1) ?? ''))
    .map(w => `${w.namespace}/${w.name}`);
  const hint =
    near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '; see: ambientctl ztunnel-config workloads';
  throw new CliError(`no pod ${JSON.stringify(name)} (write NAMESPACE/POD)${hint}`);
}
