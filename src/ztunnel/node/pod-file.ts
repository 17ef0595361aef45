import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import type { LocalPod } from './local-pod.ts';

/** Far more than a pod with every label Kubernetes allows. */
export const MAX_POD_FILE_BYTES = 256 * 1024;

const UID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
/** RFC 1123 subdomain, as Kubernetes names objects: these end up in SPIFFE ids. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export type PodFileResult =
  | { readonly ok: true; readonly pod: LocalPod }
  | { readonly ok: false; readonly errors: readonly string[] };

/** Parses the description of a pod. `fileUid` is the file's name without `.json`. Collects every error. */
export function parsePodFile(text: string, fileUid: string): PodFileResult {
  if (Buffer.byteLength(text) > MAX_POD_FILE_BYTES) {
    return { ok: false, errors: [`longer than ${MAX_POD_FILE_BYTES} bytes`] };
  }
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    return { ok: false, errors: [`not JSON: ${errorMessage(cause)}`] };
  }
  if (!isJsonObject(value)) return { ok: false, errors: ['not a JSON object'] };
  const fields = new Fields(value);
  const pod: LocalPod = {
    uid: fields.text('uid', UID),
    name: fields.text('name', OBJECT_NAME),
    namespace: fields.text('namespace', OBJECT_NAME),
    serviceAccount: fields.text('serviceAccount', OBJECT_NAME),
    labels: fields.labels('labels'),
    namespaceLabels: fields.labels('namespaceLabels'),
    ips: fields.addresses('ips'),
    netnsPath: fields.path('netnsPath'),
    hostNetwork: fields.flag('hostNetwork'),
    starting: fields.flag('starting'),
    sidecar: fields.optionalName('sidecar'),
    bypassInbound: fields.flag('bypassInbound'),
    dnsCapture: fields.optionalFlag('dnsCapture'),
    probePorts: fields.ports('probePorts'),
  };
  if (pod.uid !== '' && pod.uid !== fileUid) {
    fields.errors.push(`uid: is ${pod.uid}, but the file is named for ${fileUid}`);
  }
  return fields.errors.length === 0 ? { ok: true, pod } : { ok: false, errors: fields.errors };
}

/** Reads fields one by one; what is wrong is collected and replaced by an empty value that is never used. */
class Fields {
  readonly errors: string[] = [];
  readonly #object: JsonObject;

  constructor(object: JsonObject) {
    this.#object = object;
  }

  text(name: string, pattern: RegExp): string {
    const value = this.#object[name];
    if (typeof value === 'string' && pattern.test(value)) return value;
    this.errors.push(`${name}: ${show(value)} is not ${pattern === UID ? 'a uid' : 'a name'}`);
    return '';
  }

  labels(name: string): Record<string, string> {
    const value = this.#object[name] ?? {};
    const labels: Record<string, string> = {};
    if (!isJsonObject(value)) {
      this.errors.push(`${name}: ${show(value)} is not an object of strings`);
      return labels;
    }
    for (const [key, text] of Object.entries(value)) {
      if (typeof text === 'string') Object.defineProperty(labels, key, { value: text, enumerable: true });
      else this.errors.push(`${name}.${key}: ${show(text)} is not a string`);
    }
    return labels;
  }

  addresses(name: string): string[] {
    const value = this.#object[name] ?? [];
    if (!Array.isArray(value)) {
      this.errors.push(`${name}: ${show(value)} is not an array of addresses`);
      return [];
    }
    return value.flatMap((item: unknown) => {
      const ip = typeof item === 'string' ? canonicalIp(item) : undefined;
      if (ip === undefined) this.errors.push(`${name}: ${show(item)} is not an IP address`);
      return ip === undefined ? [] : [ip];
    });
  }

  optionalName(name: string): string | undefined {
    const value = this.#object[name];
    return value === undefined || value === null ? undefined : this.text(name, OBJECT_NAME);
  }

  ports(name: string): number[] | undefined {
    const value = this.#object[name];
    if (value === undefined || value === null) return undefined;
    if (!Array.isArray(value)) {
      this.errors.push(`${name}: ${show(value)} is not an array of ports`);
      return undefined;
    }
    return value.flatMap((item: unknown) => {
      if (typeof item === 'number' && Number.isInteger(item) && item > 0 && item < 65_536) return [item];
      this.errors.push(`${name}: ${show(item)} is not a port`);
      return [];
    });
  }

  path(name: string): string | undefined {
    const value = this.#object[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string' && value.startsWith('/') && !value.includes('\0')) return value;
    this.errors.push(`${name}: ${show(value)} is not an absolute path`);
    return undefined;
  }

  optionalFlag(name: string): boolean | undefined {
    const value = this.#object[name];
    return value === undefined || value === null ? undefined : this.flag(name);
  }

  flag(name: string): boolean {
    const value = this.#object[name] ?? false;
    if (typeof value === 'boolean') return value;
    this.errors.push(`${name}: ${show(value)} is neither true nor false`);
    return false;
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
