import { type Cell, PROTOCOLS, type Protocol, type RuleCount, TABLES } from './plan.ts';

/** One service of the bench: a protocol and a route table. */
export interface BenchService {
  readonly name: string;
  readonly protocol: Protocol;
  readonly rules: RuleCount;
  readonly vip: string;
  /** Of the endpoint; it says what to answer with. */
  readonly targetPort: number;
  /** Plain port whose connections the client's edge takes through HBONE to this service. */
  readonly edgePort: number;
}

/** Where one contender stands: on addresses of its own, as all of them run at once. */
export interface Slot {
  readonly waypoint: string;
  readonly endpoint: string;
}

export const SLOTS = {
  native: { waypoint: '10.99.0.11', endpoint: '10.99.0.21' },
  node: { waypoint: '10.99.0.12', endpoint: '10.99.0.22' },
  peer: { waypoint: '10.99.0.13', endpoint: '10.99.0.23' },
} as const satisfies Record<string, Slot>;

export const HBONE_PORT = 15008;
export const SERVICE_PORT = 80;
export const TARGET_PORTS: Readonly<Record<Protocol, number>> = { h1: 8101, h2: 8102, grpc: 8103 };
const FIRST_EDGE_PORT = 18_100;

/** Paths that the last rule of every table takes; they name the body of the answer. */
const BODY_PREFIX = '/body/';
const PATHS: Readonly<Record<Cell['body'], string>> = { '1 KB': '1k', '1 MB': '1m' };
export const BODY_BYTES: Readonly<Record<Cell['body'], number>> = { '1 KB': 1024, '1 MB': 1024 * 1024 };

export const BENCH_SERVICES: readonly BenchService[] = PROTOCOLS.flatMap((protocol, p) =>
  TABLES.map((rules, r) => ({
    name: `${protocol}-${rules}`,
    protocol,
    rules,
    vip: `10.96.${p}.${r + 1}`,
    targetPort: TARGET_PORTS[protocol],
    edgePort: FIRST_EDGE_PORT + p * 10 + r,
  })),
);

export function serviceOf({ protocol, rules }: Pick<Cell, 'protocol' | 'rules'>): BenchService {
  const found = BENCH_SERVICES.find(service => service.protocol === protocol && service.rules === rules);
  if (found === undefined) throw new Error(`no service for ${protocol} with ${rules} rules`);
  return found;
}

export function pathOf(body: Cell['body']): string {
  return `${BODY_PREFIX}${PATHS[body]}`;
}

/** What a request must begin with, rule by rule. */
export function rulePrefixes(rules: RuleCount): readonly string[] {
  const others = Array.from({ length: rules - 1 }, (_, i) => `/rule-${i}/`);
  return [...others, BODY_PREFIX];
}
