import type {
  CertificateRow,
  DescriptionReply,
  DetailFrame,
  FactLine,
  Figures,
  Frame,
  GraphEdge,
  GraphFrame,
  GraphNode,
  Head,
  HistoryPoint,
  HopLine,
  HopPolicy,
  HopRoute,
  PodRow,
  PoliciesFrame,
  PolicyRow,
  ProblemRow,
  ProblemsFrame,
  ProxiesFrame,
  ProxyRow,
  RefusalRow,
  ServiceRow,
  ServicesFrame,
  TapEvent,
  TapNote,
  TypeState,
  WorkloadRow,
  WorkloadsFrame,
} from './frames.ts';
import { GRAPH_KINDS, NODE_KINDS, SECURITY } from './frames.ts';
import { type Guard, isFlag, isNumber, isText, listOf, nullOr, oneOf, shape } from './guard.ts';

/* Whether what a page was told is what frames.ts says: its server may be of another version. */

const isTexts = listOf(isText);

const isHead = shape<Head>({
  atMs: isNumber,
  version: isText,
  mesh: isText,
  cliOptions: isText,
  isCluster: isFlag,
  windowSeconds: isNumber,
  namespaces: isTexts,
  warnings: isTexts,
  errorCount: isNumber,
  refusalCount: isNumber,
});

const isFigures = shape<Figures>({
  rps: nullOr(isNumber),
  success: nullOr(isNumber),
  p50Ms: nullOr(isNumber),
  p95Ms: nullOr(isNumber),
  p99Ms: nullOr(isNumber),
  requestBytesPerSecond: isNumber,
  responseBytesPerSecond: isNumber,
  openConnections: isNumber,
  connectionsPerSecond: isNumber,
  deniedPerSecond: isNumber,
  failedPerSecond: isNumber,
});

const isNode = shape<GraphNode>({
  id: isText,
  kind: oneOf(...NODE_KINDS),
  namespace: isText,
  name: isText,
  pods: isNumber,
  healthyPods: isNumber,
  meshedPods: isNumber,
  waypoint: isText,
});

const isEdge = shape<GraphEdge>({
  id: isText,
  from: isText,
  to: isText,
  security: oneOf(...SECURITY),
  sourceIdentities: isTexts,
  destinationIdentities: isTexts,
  waypoints: isTexts,
  figures: isFigures,
  active: isFlag,
  denied: isNumber,
});

const isPod = shape<PodRow>({
  name: isText,
  node: isText,
  addresses: isTexts,
  healthy: isFlag,
  protocol: isText,
});

const isProblem = shape<ProblemRow>({
  level: oneOf('Error', 'Warning'),
  object: isText,
  field: isText,
  message: isText,
  fix: isText,
});

const isRefusal = shape<RefusalRow>({
  kind: oneOf('denied', 'failed'),
  lastMs: isNumber,
  count: isNumber,
  source: isText,
  sourceIdentity: isText,
  destination: isText,
  service: isText,
  request: isText,
  reason: isText,
  policy: isText,
  rule: nullOr(isNumber),
  proxy: isText,
});

const FRAMES: readonly Guard<Frame>[] = [
  shape<GraphFrame>({
    view: oneOf('graph'),
    head: isHead,
    by: oneOf(...GRAPH_KINDS),
    nodes: listOf(isNode),
    edges: listOf(isEdge),
    leftOut: isNumber,
  }),
  shape<ServicesFrame>({
    view: oneOf('services'),
    head: isHead,
    rows: listOf(
      shape<ServiceRow>({
        namespace: isText,
        name: isText,
        hostname: isText,
        addresses: isTexts,
        waypoint: isText,
        pods: isNumber,
        healthyPods: isNumber,
        meshedPods: isNumber,
        figures: isFigures,
      }),
    ),
    leftOut: isNumber,
  }),
  shape<WorkloadsFrame>({
    view: oneOf('workloads'),
    head: isHead,
    rows: listOf(
      shape<WorkloadRow>({
        namespace: isText,
        name: isText,
        pods: listOf(isPod),
        identity: isText,
        services: isTexts,
        waypoint: isText,
        isWaypoint: isFlag,
        figures: isFigures,
      }),
    ),
    leftOut: isNumber,
  }),
  shape<ProxiesFrame>({
    view: oneOf('proxies'),
    head: isHead,
    rows: listOf(
      shape<ProxyRow>({
        name: isText,
        kind: oneOf('ztunnel', 'waypoint', 'controller'),
        namespace: isText,
        node: isText,
        version: isText,
        engine: isText,
        error: isText,
        controller: isText,
        types: listOf(
          shape<TypeState>({
            type: isText,
            state: isText,
            pending: isNumber,
            sinceMs: nullOr(isNumber),
            reason: isText,
          }),
        ),
        certificates: listOf(
          shape<CertificateRow>({
            identity: isText,
            state: isText,
            error: isText,
            valid: isFlag,
            notBeforeMs: nullOr(isNumber),
            notAfterMs: nullOr(isNumber),
          }),
        ),
      }),
    ),
    leftOut: isNumber,
  }),
  shape<PoliciesFrame>({
    view: oneOf('policies'),
    head: isHead,
    rows: listOf(
      shape<PolicyRow>({
        namespace: isText,
        name: isText,
        action: isText,
        scope: isText,
        dryRun: isFlag,
        rules: isNumber,
        workloads: isTexts,
        services: isTexts,
        refused: isNumber,
      }),
    ),
    leftOut: isNumber,
  }),
  shape<ProblemsFrame>({
    view: oneOf('problems'),
    head: isHead,
    problems: listOf(isProblem),
    refusals: listOf(isRefusal),
    leftOut: isNumber,
  }),
  shape<DetailFrame>({
    view: oneOf('detail'),
    head: isHead,
    by: oneOf(...GRAPH_KINDS),
    node: nullOr(isNode),
    pods: listOf(isPod),
    services: isTexts,
    figures: isFigures,
    history: listOf(shape<HistoryPoint>({ atMs: isNumber, figures: isFigures })),
    inbound: listOf(isEdge),
    outbound: listOf(isEdge),
    others: listOf(isNode),
    refusals: listOf(isRefusal),
    problems: listOf(isProblem),
  }),
];

export function isFrame(value: unknown): value is Frame {
  return FRAMES.some(guard => guard(value));
}

const isFacts = listOf(shape<FactLine>({ name: isText, value: isText }));

export const isDescription = shape<DescriptionReply>({
  title: isText,
  facts: isFacts,
  hopsTitle: isText,
  hops: listOf(
    shape<HopLine>({
      name: isText,
      why: isText,
      facts: isFacts,
      policies: nullOr(
        listOf(shape<HopPolicy>({ name: isText, action: isText, scope: isText, dryRun: isFlag })),
      ),
      verdict: isText,
      routes: listOf(shape<HopRoute>({ name: isText, ports: isText, backends: isText, state: isText })),
    }),
  ),
  warnings: isTexts,
});

export const isTapEvent = shape<TapEvent>({
  key: isText,
  over: isFlag,
  atMs: isNumber,
  source: isText,
  secure: isFlag,
  service: isText,
  method: isText,
  authority: isText,
  path: isText,
  status: isText,
  durationMs: nullOr(isNumber),
  destination: isText,
  route: isText,
  flags: isText,
  error: isText,
});

export const isTapNote = shape<TapNote>({ note: isText });
