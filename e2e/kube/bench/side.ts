import { parseIperf, parseWrk } from '../../bench/load.ts';
import { httpRoute, backends, marked, waypoint } from '../gateway-objects.ts';
import { eventually } from '../eventually.ts';
import { exec, getField } from '../kubectl.ts';
import { NGINX, pod, service } from '../objects.ts';
import type { TestNamespace } from '../test-namespace.ts';

/** The same client and server, on two nodes: without a mesh, in it, or in it and behind a waypoint. */
export type SideName = 'plain' | 'L4' | 'waypoint';

const PORTS = [{ name: 'http', port: 80, targetPort: 8080 }];
const IPERF_PORTS = [{ name: 'tcp', port: 5201 }];
const PROGRAMMED = '.status.conditions[?(@.type=="Programmed")].status';
const TOOL_GRACE_MS = 30_000;

export async function makeSide(ns: TestNamespace, side: SideName, nodes: readonly string[]): Promise<void> {
  const [one = '', two = one] = nodes;
  await ns.apply(
    service('server', { ports: PORTS }),
    service('iperf', { ports: IPERF_PORTS }),
    pod('server', { node: two, command: NGINX }),
    pod('iperf', { node: two, command: ['iperf3', '-s'] }),
    pod('client', { node: one }),
  );
  if (side === 'waypoint') {
    const rule = { filters: [marked('bench')], backendRefs: backends({ name: 'server' }) };
    await ns.apply(waypoint('waypoint'), httpRoute('server', rule));
    await eventually('the waypoint is programmed', 60_000, async () => {
      const status = await getField(ns.name, 'gateway', 'waypoint', PROGRAMMED);
      return status === 'True' ? true : `Programmed is ${status}`;
    });
    await ns.label('service', 'server', 'istio.io/use-waypoint=waypoint');
  }
  await ns.ready({ captured: side !== 'plain' });
  await ns.reachable('client', 'http://server/');
}

/** A figure that is measured on every side. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Of the incumbent on the same cluster, as a share of no mesh: L4, and through a waypoint. */
  readonly incumbent: { readonly L4?: number; readonly waypoint?: number };
  /** What of it is a share: more is better. */
  measure(ns: TestNamespace, seconds: number): Promise<Measured>;
  readonly onlyL4?: boolean;
}

export interface Measured {
  readonly value: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

async function run(ns: TestNamespace, argv: readonly string[], seconds: number): Promise<string> {
  const { status, stdout, stderr } = await exec(ns.name, 'client', argv, seconds * 1_000 + TOOL_GRACE_MS);
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr || stdout}`);
  return stdout;
}

function iperf(name: string, incumbent: number, ...flags: readonly string[]): Figure {
  return {
    name,
    unit: 'Gbit/s',
    incumbent: { L4: incumbent },
    onlyL4: true,
    async measure(ns, seconds) {
      const text = await run(ns, ['iperf3', '-J', '-c', 'iperf', '-t', String(seconds), ...flags], seconds);
      return { value: parseIperf(text).gbitPerSecond };
    },
  };
}

function wrk(
  name: string,
  unit: string,
  connections: number,
  incumbent: Figure['incumbent'],
  fresh = false,
): Figure {
  const close = fresh ? ['-H', 'Connection: close'] : [];
  return {
    name,
    unit,
    incumbent,
    async measure(ns, seconds) {
      const threads = Math.min(2, connections);
      const flags = [`-t${threads}`, `-c${connections}`, `-d${seconds}`, '--latency', ...close];
      const { requestsPerSecond, p50Ms, p99Ms } = parseWrk(
        await run(ns, ['wrk', ...flags, 'http://server/'], seconds),
      );
      return { value: requestsPerSecond, p50Ms, p99Ms };
    },
  };
}

export const FIGURES: readonly Figure[] = [
  iperf('1 stream up', 0.38),
  iperf('1 stream down', 0.41, '-R'),
  iperf('4 streams up', 0.25, '-P', '4'),
  wrk('1 connection', 'requests/s', 1, { L4: 0.46, waypoint: 0.18 }),
  wrk('32 connections', 'requests/s', 32, { L4: 0.175, waypoint: 0.091 }),
  wrk('256 connections', 'requests/s', 256, { L4: 0.18, waypoint: 0.1 }),
  wrk('new connections, 16 clients', 'connections/s', 16, { L4: 0.165, waypoint: 0.155 }, true),
];
