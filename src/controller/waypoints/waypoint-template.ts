import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';

/** How the controller makes waypoints: what is the same for all of a mesh. */
export interface WaypointTemplate {
  readonly image: string;
  /** `host:port` of the controller. */
  readonly xdsAddress: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly network: string;
  readonly logLevel: string;
  readonly logFormat: string;
  readonly options: WaypointOptions;
}

/** What an operator may set, `WAYPOINT_TEMPLATE`. Objects whose fields are Kubernetes' own are passed on as they are. */
export interface WaypointOptions {
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly JsonObject[];
  /** Without autoscaling. */
  readonly replicas: number;
  readonly autoscaling: Autoscaling | undefined;
  readonly resources: JsonObject;
  /** Environment variables of every waypoint, by name. */
  readonly env: ReadonlyMap<string, string>;
  readonly podAnnotations: JsonObject;
  readonly nodeSelector: JsonObject;
  readonly tolerations: readonly JsonObject[];
  readonly priorityClassName: string | undefined;
  readonly terminationGracePeriodSeconds: number;
}

export interface Autoscaling {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly targetCpuPercent: number;
}

export const DEFAULT_WAYPOINT_OPTIONS: WaypointOptions = Object.freeze({
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  replicas: 2,
  autoscaling: undefined,
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '1Gi' } },
  env: new Map(),
  podAnnotations: {},
  nodeSelector: {},
  tolerations: [],
  priorityClassName: undefined,
  terminationGracePeriodSeconds: 30,
});

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;
const MAX_REPLICAS = 1000;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** @param reject told of each field that is wrong, by path. @returns the defaults where something is */
export function parseWaypointOptions(text: string, reject: (problem: string) => void): WaypointOptions {
  const parsed = parsedObject(text);
  if (parsed === undefined) {
    reject('is no JSON object; write one such as {"replicas": 2}');
    return DEFAULT_WAYPOINT_OPTIONS;
  }
  const known = new Set(Object.keys(DEFAULT_WAYPOINT_OPTIONS));
  for (const key of Object.keys(parsed))
    if (!known.has(key)) reject(`holds ${JSON.stringify(key)}, which is none of ${[...known].join(', ')}`);
  const read = new Reader(parsed, '', reject);
  const defaults = DEFAULT_WAYPOINT_OPTIONS;
  return {
    imagePullPolicy: read.oneOf('imagePullPolicy', PULL_POLICIES) ?? defaults.imagePullPolicy,
    imagePullSecrets: read.objects('imagePullSecrets') ?? defaults.imagePullSecrets,
    replicas: read.integer('replicas', 0, MAX_REPLICAS) ?? defaults.replicas,
    autoscaling: readAutoscaling(read, reject),
    resources: read.object('resources') ?? defaults.resources,
    env: readEnv(read, reject),
    podAnnotations: readAnnotations(read, reject),
    nodeSelector: read.object('nodeSelector') ?? defaults.nodeSelector,
    tolerations: read.objects('tolerations') ?? defaults.tolerations,
    priorityClassName: read.text('priorityClassName'),
    terminationGracePeriodSeconds:
      read.integer('terminationGracePeriodSeconds', 1, 86_400) ?? defaults.terminationGracePeriodSeconds,
  };
}

function readAutoscaling(read: Reader, reject: (problem: string) => void): Autoscaling | undefined {
  const fields = read.object('autoscaling');
  if (fields === undefined) return undefined;
  const inner = new Reader(fields, 'autoscaling.', reject);
  const minReplicas = inner.integer('minReplicas', 1, MAX_REPLICAS) ?? 2;
  const maxReplicas = inner.integer('maxReplicas', 1, MAX_REPLICAS) ?? 5;
  if (maxReplicas < minReplicas) reject(`autoscaling.maxReplicas ${maxReplicas} is less than minReplicas`);
  return { minReplicas, maxReplicas, targetCpuPercent: inner.integer('targetCpuPercent', 1, 1000) ?? 80 };
}

function readEnv(read: Reader, reject: (problem: string) => void): ReadonlyMap<string, string> {
  const env = new Map<string, string>();
  for (const [name, value] of Object.entries(read.object('env') ?? {})) {
    if (ENV_NAME.test(name) && typeof value === 'string') env.set(name, value);
    else reject(`env.${name} must be a name of a variable and a string; put numbers in quotes`);
  }
  return env;
}

/** The API server refuses a pod with others, and only when it is made. */
function readAnnotations(read: Reader, reject: (problem: string) => void): JsonObject {
  const annotations = read.object('podAnnotations') ?? {};
  for (const [name, value] of Object.entries(annotations))
    if (typeof value !== 'string') reject(`podAnnotations.${name} must be a string; put numbers in quotes`);
  return annotations;
}

function parsedObject(text: string): JsonObject | undefined {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Absent fields are undefined; wrong ones are told of and undefined too. */
class Reader {
  readonly #fields: JsonObject;
  readonly #path: string;
  readonly #reject: (problem: string) => void;

  constructor(fields: JsonObject, path: string, reject: (problem: string) => void) {
    this.#fields = fields;
    this.#path = path;
    this.#reject = reject;
  }

  text(key: string): string | undefined {
    return this.#read(key, 'a string', value => (typeof value === 'string' ? value : undefined));
  }

  integer(key: string, min: number, max: number): number | undefined {
    return this.#read(key, `a whole number from ${min} to ${max}`, value =>
      typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
        ? value
        : undefined,
    );
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T | undefined {
    return this.#read(key, `one of ${allowed.join(', ')}`, value => allowed.find(one => one === value));
  }

  object(key: string): JsonObject | undefined {
    return this.#read(key, 'an object', value => (isJsonObject(value) ? value : undefined));
  }

  objects(key: string): readonly JsonObject[] | undefined {
    return this.#read(key, 'a list of objects', value =>
      Array.isArray(value) && value.every(isJsonObject) ? value : undefined,
    );
  }

  #read<T>(key: string, expected: string, parse: (value: unknown) => T | undefined): T | undefined {
    const value = this.#fields[key] ?? undefined;
    if (value === undefined) return undefined;
    const parsed = parse(value);
    if (parsed === undefined)
      this.#reject(`${this.#path}${key} is ${JSON.stringify(value)}; it must be ${expected}`);
    return parsed;
  }
}
