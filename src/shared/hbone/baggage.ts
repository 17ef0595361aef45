import { Remembered } from '../lifecycle/remembered.ts';

/** What the client says of the source workload. Missing members are empty strings. */
export interface Baggage {
  readonly clusterId: string;
  readonly namespace: string;
  /** `deployment`, `pod`, `job`, `cronjob`, … : the `<type>` of `k8s.<type>.name`. */
  readonly workloadType: string;
  readonly workloadName: string;
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly region: string;
  readonly zone: string;
}

/** W3C Baggage §3.3.2: at least this much must be accepted; nothing here needs more. */
const MAX_BYTES = 8192;
const MAX_MEMBERS = 64;
const MAX_VALUE_LENGTH = 256;

const FIELDS: ReadonlyMap<string, keyof Baggage> = new Map<string, keyof Baggage>([
  ['k8s.cluster.name', 'clusterId'],
  ['k8s.namespace.name', 'namespace'],
  ['service.name', 'serviceName'],
  ['service.version', 'serviceVersion'],
  ['cloud.region', 'region'],
  ['cloud.availability_zone', 'zone'],
]);
const WORKLOAD_KEY = /^k8s\.([a-z]{1,32})\.name$/;

const EMPTY: Baggage = Object.freeze({
  clusterId: '',
  namespace: '',
  workloadType: '',
  workloadName: '',
  serviceName: '',
  serviceVersion: '',
  region: '',
  zone: '',
});

/** Answers kept: a peer says the same with each connection of a workload. */
const MAX_KNOWN = 512;
const parsed = new Remembered(MAX_KNOWN, parseMembers);

/**
 * W3C Baggage. Unknown members are passed over, the first of equal keys counts. Undefined when it does not parse. The same
 * object for the same text, for as long as it is remembered.
 */
export function parseBaggage(text: string): Baggage | undefined {
  return text.length <= MAX_BYTES ? parsed.of(text) : undefined;
}

function parseMembers(text: string): Baggage | undefined {
  const members = text.split(',', MAX_MEMBERS + 1);
  if (members.length > MAX_MEMBERS) return undefined;
  const baggage: { -readonly [K in keyof Baggage]: string } = { ...EMPTY };
  for (const member of members) {
    const equals = member.indexOf('=');
    if (equals <= 0) return undefined;
    const key = member.slice(0, equals).trim();
    const semicolon = member.indexOf(';', equals);
    const value = decode(member.slice(equals + 1, semicolon === -1 ? undefined : semicolon).trim());
    if (value === undefined) return undefined;
    const field = FIELDS.get(key);
    const type = field === undefined ? WORKLOAD_KEY.exec(key)?.[1] : undefined;
    if (field !== undefined) baggage[field] ||= value;
    else if (type !== undefined && baggage.workloadType === '') {
      baggage.workloadType = type;
      baggage.workloadName = value;
    }
  }
  return baggage;
}

const formatted = new WeakMap<Baggage, string>();

/** Members without a value are left out; an empty string when there are none. Made once for each object. */
export function formatBaggage(baggage: Baggage): string {
  let text = formatted.get(baggage);
  if (text === undefined) formatted.set(baggage, (text = formatMembers(baggage)));
  return text;
}

function formatMembers(baggage: Baggage): string {
  const members: string[] = [];
  for (const [key, field] of FIELDS) add(members, key, baggage[field]);
  if (baggage.workloadType !== '') add(members, `k8s.${baggage.workloadType}.name`, baggage.workloadName);
  return members.join(',');
}

function add(members: string[], key: string, value: string): void {
  if (value !== '') members.push(`${key}=${encodeURIComponent(value)}`);
}

/** Percent-decoded; undefined for what must not reach a log or a metric label. */
function decode(value: string): string | undefined {
  if (value.length > 3 * MAX_VALUE_LENGTH) return undefined;
  let decoded = value;
  if (value.includes('%')) {
    try {
      decoded = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  if (decoded.length > MAX_VALUE_LENGTH) return undefined;
  for (let i = 0; i < decoded.length; i++) {
    const code = decoded.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return undefined;
  }
  return decoded;
}
