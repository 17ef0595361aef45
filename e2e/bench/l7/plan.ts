import { memoryMetrics } from '../memory.ts';
import type { Goal, Metric } from '../result.ts';

/** What the load speaks, and with it what the waypoint speaks on both sides. */
export const PROTOCOLS = ['h1', 'h2', 'grpc'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Rules of a route table, of which the last is the one that matches. */
export const TABLES = [1, 100, 1000] as const;
export type RuleCount = (typeof TABLES)[number];

export const BODIES = ['1 KB', '1 MB'] as const;
export type Body = (typeof BODIES)[number];

export const CONNECTIONS = [1, 32, 512] as const;

/** One figure of the matrix. */
export interface Cell {
  readonly protocol: Protocol;
  readonly rules: RuleCount;
  readonly body: Body;
  readonly connections: (typeof CONNECTIONS)[number];
}

/** `hbone`: the bench's own program, load and endpoint in one; `wrk`: wrk and h2load, a client's edge and an endpoint. */
export const LOADS = ['hbone', 'wrk'] as const;
export type LoadKind = (typeof LOADS)[number];

export interface L7Plan {
  readonly protocols: readonly Protocol[];
  readonly load: LoadKind;
  /** Every cell of the matrix; otherwise those that say the most. */
  readonly full: boolean;
}

/** What a long route table costs may exceed what one rule costs by this much. */
const MAX_TABLE_COST = 1.05;
const TABLE_CELL = { body: '1 KB', connections: 32 } as const;

export function cellsOf({ protocols, full }: Pick<L7Plan, 'protocols' | 'full'>): readonly Cell[] {
  const all = protocols.flatMap(protocol =>
    TABLES.flatMap(rules =>
      BODIES.flatMap(body => CONNECTIONS.map(connections => ({ protocol, rules, body, connections }))),
    ),
  );
  return full ? all : all.filter(isTelling);
}

/** One rule at every number of connections, large bodies and the longest table at the middle one. */
function isTelling({ rules, body, connections }: Cell): boolean {
  if (connections === 32 && (body === '1 MB' ? rules === 1 : rules !== 100)) return true;
  return rules === 1 && body === '1 KB';
}

export function cellName({ protocol, rules, body, connections }: Cell): string {
  const many = connections === 1 ? '1 connection' : `${connections} connections`;
  const table = rules === 1 ? '' : `, ${rules} rules`;
  return `${protocol}, ${body}, ${many}${table}`;
}

/** Requests that are under way on one connection: of HTTP/2 as many as a busy client has, where there are few of those. */
export function streamsOf({ protocol, body, connections }: Cell): number {
  return protocol === 'h1' || body === '1 MB' || connections === 512 ? 1 : 10;
}

export function tableCostName(protocol: Protocol): string {
  return `${protocol}: CPU time of a request, 1000 rules over 1`;
}

/** Whether the cell is one of the two whose costs are compared by `tableCostName`. */
export function isTableCell({ rules, body, connections }: Cell): boolean {
  return rules !== 100 && body === TABLE_CELL.body && connections === TABLE_CELL.connections;
}

/** By what both engines must reach: the portable one what issue 5 asks for, the native one what issue 6 does. */
export function l7Metrics(
  plan: Pick<L7Plan, 'protocols' | 'full'>,
  engine: 'native' | 'node',
): readonly Metric[] {
  const none: Goal = { kind: 'none' };
  const rates: Readonly<Record<Protocol, number>> =
    engine === 'native' ? { h1: 3, h2: 2, grpc: 2 } : { h1: 2, h2: 1.2, grpc: 1.2 };
  const cells = cellsOf(plan).flatMap((cell): readonly Metric[] => {
    const name = cellName(cell);
    return [
      { name: `${name}: RPS`, unit: '1/s', goal: { kind: 'ratio_at_least', value: rates[cell.protocol] } },
      { name: `${name}: p50`, unit: 'ms', goal: none },
      { name: `${name}: p99`, unit: 'ms', goal: { kind: 'ratio_at_most', value: 1 } },
      { name: `${name}: p99, the second before`, unit: 'ms', goal: none },
      { name: `${name}: CPU per 100k requests`, unit: 's', goal: none },
    ];
  });
  const tables = plan.protocols.map(
    (protocol): Metric => ({
      name: tableCostName(protocol),
      unit: '',
      goal: { kind: 'at_most', value: MAX_TABLE_COST },
    }),
  );
  return [...cells, ...tables, ...memoryMetrics({ idle: none, underLoad: none })];
}
