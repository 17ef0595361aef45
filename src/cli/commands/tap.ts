import type { Command } from 'commander';
import type { JsonObject } from '#shared/config/json.ts';
import { streamLines } from '../admin-client.ts';
import { askEach } from '../ask-proxies.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { readJsonLine } from '../json-line.ts';
import { text } from '#shared/config/json-fields.ts';
import { type CommonOptions, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { findProxies } from '../proxies.ts';
import { type TapFilter, tapPath } from '../tap/tap-request.ts';

interface TapOptions extends CommonOptions, TapFilter {
  readonly waypoint?: string;
}

/** `ambientctl tap`: requests of waypoints as they pass; the waypoint's `/debug/tap` filters, and refuses what is wrong. */
export function addTap(program: Command, cli: Cli): void {
  const command = program
    .command('tap')
    .description('requests as they pass waypoints, live')
    .argument('[service]', 'only for this service; its name or host name')
    .option('--waypoint <name>', 'only of this waypoint: the name of its Gateway or of a pod')
    .option('--source <name>', 'only of this client: its pod or workload')
    .option('--source-namespace <name>', 'only of clients of this namespace')
    .option('--method <method>', 'only with this method')
    .option('--authority <host>', 'only for exactly this Host')
    .option('--path <prefix>', 'only whose path begins so')
    .option('--status <status>', 'only answered so: 404, or 5xx')
    .option('--max-rps <number>', 'so many a second and waypoint (default: 100)')
    .option('--limit <number>', 'so many of a waypoint, then end')
    .option('--duration <time>', 'for so long, at most 1h (default: 1m)')
    .option('--headers', 'with headers; those that prove an identity are redacted');
  withNamespaceFilter(withCommonOptions(command)).action(
    async (service: string | undefined, options: TapOptions) => {
      const all = await findProxies('waypoint', options, cli);
      const { waypoint } = options;
      const waypoints = all.filter(
        w => waypoint === undefined || w.name === waypoint || w.name.startsWith(`${waypoint}-`),
      );
      if (waypoints.length === 0)
        throw new CliError(`no waypoint ${waypoint ?? ''}; there are: ${all.map(w => w.name).join(', ')}`);
      const path = tapPath(service, options);
      const signal = cli.untilInterrupted();
      let shown = 0;
      const show = (line: string): void => {
        shown++;
        cli.stdout(options.output === 'table' ? tapLine(line) : `${line}\n`);
      };
      await askEach(waypoints, w => streamLines(w.admin, path, show, signal), cli);
      if (shown === 0)
        cli.stderr(
          `${nothingPassed(
            service,
            waypoints.map(w => w.name),
          )}\n`,
        );
    },
  );
}

/** Silence has many reasons: which of them is the next question. */
function nothingPassed(service: string | undefined, waypoints: readonly string[]): string {
  const which = service === undefined ? 'a waypoint' : `one for service ${JSON.stringify(service)}`;
  return `no request that matches passed ${waypoints.join(', ')}; does the service have ${which}? see: ambientctl ztunnel-config services`;
}

/** One line an event, `key=value`, in the order in which one asks. */
function tapLine(line: string): string {
  const event = readJsonLine(line);
  const kind = text(event, 'event');
  switch (kind) {
    case 'request':
      return fields('req', event, [
        ['id', 'id'],
        ['src', 'src.workload', 'src.addr'],
        ['dst', 'dst.service'],
        ['tls', 'src.identity'],
        [':method', 'method'],
        [':authority', 'authority'],
        [':path', 'path'],
        ['headers', 'headers'],
      ]);
    case 'response':
      return fields('rsp', event, [
        ['id', 'id'],
        [':status', 'response_code'],
        ['latency_ms', 'duration_ms'],
        ['headers', 'headers'],
      ]);
    case 'end':
      return fields('end', event, [
        ['id', 'id'],
        [':status', 'response_code'],
        ['grpc-status', 'grpc_status'],
        ['dst', 'dst.workload', 'dst.addr'],
        ['route', 'route'],
        ['attempts', 'attempts'],
        ['flags', 'response_flags'],
        ['duration_ms', 'duration_ms'],
        ['response-length', 'bytes_sent'],
        ['error', 'error'],
      ]);
    default:
      return `${kind} ${text(event, 'requests') || text(event, 'lines') || text(event, 'reason')}\n`;
  }
}

/** [name shown, field, field in its place] */
type Shown = readonly [string, string, string?];

function fields(kind: string, event: JsonObject, shown: readonly Shown[]): string {
  const parts = shown.flatMap(([name, field, other]) => {
    const value = valueOf(event, field) || (other === undefined ? '' : valueOf(event, other));
    return value === '' ? [] : [`${name}=${value}`];
  });
  return `${kind} ${parts.join(' ')}\n`;
}

function valueOf(event: JsonObject, field: string): string {
  const value = event[field];
  if (field === 'src.identity') return value === undefined ? 'false' : 'true';
  if (!Array.isArray(value)) return text(event, field);
  const words = value.map(String);
  const pairs = words.flatMap((word, i) => (i % 2 === 0 ? [`${word}: ${words[i + 1] ?? ''}`] : []));
  return JSON.stringify(pairs.join('; '));
}
