import type { KubeConfig } from '@kubernetes/client-node';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';
import { CliError } from '../cli-error.ts';
import { child, objects, text } from '../json-fields.ts';
import type { KubeApi, ListOptions, LogOptions } from './kube-api.ts';
import { decodeKubeObject, type KubeObject, type ObjectKind } from './kube-object.ts';
import { POD } from './kinds.ts';
import { eachLine } from '../lines.ts';

interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: JsonObject;
  readonly contentType?: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

const TIMEOUT_MS = 15_000;
const MAX_BODY_BYTES = 256 * 1024 * 1024;
const PAGE = '500';
export const FIELD_MANAGER = 'ambientctl';

/** The Kubernetes API over the credentials of a kubeconfig. Objects stay JSON, so that no field is lost or guessed at. */
export class KubeClient implements KubeApi {
  readonly server: string;
  readonly namespace: string;
  readonly #config: KubeConfig;

  constructor(config: KubeConfig) {
    this.#config = config;
    this.server = config.getCurrentCluster()?.server ?? '';
    this.namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  }

  async version(): Promise<string> {
    const answer = this.#expect(await this.#call({ method: 'GET', path: '/version' }), 'read the version');
    return text(answer, 'gitVersion');
  }

  async get(kind: ObjectKind, namespace: string, name: string): Promise<KubeObject | undefined> {
    const answer = await this.#call({ method: 'GET', path: pathOf(kind, namespace, name) });
    if (answer.status === 404) return undefined;
    return decodeKubeObject(this.#expect(answer, `read ${kind.kind} ${name}`), kind);
  }

  async list(kind: ObjectKind, options: ListOptions = {}): Promise<readonly KubeObject[] | undefined> {
    const found: KubeObject[] = [];
    let next = '';
    do {
      const query: Record<string, string> = { limit: PAGE };
      if (options.labelSelector !== undefined) query['labelSelector'] = options.labelSelector;
      if (next !== '') query['continue'] = next;
      const answer = await this.#call({ method: 'GET', path: pathOf(kind, options.namespace ?? ''), query });
      if (answer.status === 404) return undefined;
      const list = this.#expect(answer, `list ${kind.plural}`);
      for (const item of objects(list, 'items')) found.push(decodeKubeObject(item, kind));
      next = text(child(list, 'metadata'), 'continue');
    } while (next !== '');
    return found;
  }

  async apply(kind: ObjectKind, object: JsonObject): Promise<KubeObject> {
    const metadata = child(object, 'metadata');
    const name = text(metadata, 'name');
    const answer = await this.#call({
      method: 'PATCH',
      path: pathOf(kind, text(metadata, 'namespace'), name),
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      body: object,
      contentType: 'application/apply-patch+yaml',
    });
    return decodeKubeObject(this.#expect(answer, `apply ${kind.kind} ${name}`), kind);
  }

  async merge(kind: ObjectKind, namespace: string, name: string, patch: JsonObject): Promise<KubeObject> {
    const answer = await this.#call({
      method: 'PATCH',
      path: pathOf(kind, namespace, name),
      query: { fieldManager: FIELD_MANAGER },
      body: patch,
      contentType: 'application/merge-patch+json',
    });
    return decodeKubeObject(this.#expect(answer, `change ${kind.kind} ${name}`), kind);
  }

  async remove(kind: ObjectKind, namespace: string, name: string): Promise<boolean> {
    const answer = await this.#call({ method: 'DELETE', path: pathOf(kind, namespace, name) });
    if (answer.status === 404) return false;
    this.#expect(answer, `delete ${kind.kind} ${name}`);
    return true;
  }

  async mayI(verb: string, kind: ObjectKind): Promise<boolean> {
    const group = kind.apiVersion.includes('/') ? (kind.apiVersion.split('/')[0] ?? '') : '';
    const answer = await this.#call({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { verb, group, resource: kind.plural } },
      },
    });
    return child(this.#expect(answer, 'ask what you may do'), 'status')['allowed'] === true;
  }

  async log(
    namespace: string,
    pod: string,
    options: LogOptions,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const query = { follow: String(options.follow), tailLines: String(options.tailLines) };
    const path = `${pathOf(POD, namespace, pod)}/log`;
    const response = await this.#open({ method: 'GET', path, query }, signal, options.follow);
    if (response.statusCode !== 200) {
      this.#expect(await readWhole(response), `read the log of ${namespace}/${pod}`);
      return;
    }
    await eachLine(response, onLine, signal);
  }

  async #call(call: Call): Promise<Answer> {
    try {
      return await readWhole(await this.#open(call, AbortSignal.timeout(TIMEOUT_MS), false));
    } catch (error) {
      throw error instanceof CliError ? error : this.#unreachable(error);
    }
  }

  async #open(call: Call, signal: AbortSignal, endless: boolean): Promise<IncomingMessage> {
    const url = new URL(this.server.replace(/\/$/, '') + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers: Record<string, string> = { accept: 'application/json, */*' };
    if (body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
    try {
      const options: RequestOptions = { method: call.method, headers };
      if (!endless) options.timeout = TIMEOUT_MS;
      await this.#config.applyToHTTPSOptions(options);
      const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
      return await new Promise((resolve, reject) => {
        const sent = send(url, { ...options, signal }, resolve);
        sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
        sent.on('error', reject);
        sent.end(body);
      });
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): CliError {
    const message = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const why = error instanceof Error && error.name === 'TimeoutError' ? 'no answer within 15 s' : message;
    return new CliError(
      `cannot reach the API server ${this.server}: ${why}; is the cluster up, and is this the right context?`,
    );
  }

  /** The body of a success. @throws CliError with the API server's own words. */
  #expect({ status, body }: Answer, what: string): JsonObject {
    let value: unknown;
    try {
      value = parseJson(body);
    } catch {
      value = undefined;
    }
    const object = isJsonObject(value) ? value : {};
    if (status >= 200 && status < 300) return object;
    const said = (text(object, 'message') || body.trim()).replace(/\s*\n\s*/g, ' ').slice(0, 400);
    if (status === 401)
      throw new CliError(`the API server ${this.server} does not accept the credentials of this context`);
    throw new CliError(`cannot ${what}: the API server answered ${status}: ${said}`);
  }
}

/** Names of objects and namespaces (RFC 1123); what else would be sent somewhere else. */
const NAME = /^[a-z0-9](?:[-a-z0-9.:]*[a-z0-9])?$/;
const MAX_NAME_LENGTH = 253;

function checked(name: string): string {
  if (NAME.test(name) && name.length <= MAX_NAME_LENGTH) return name;
  throw new CliError(
    `${JSON.stringify(name)} cannot be the name of a Kubernetes object: lower-case letters, digits, "-" and "." alone`,
    2,
  );
}

function pathOf(kind: ObjectKind, namespace: string, name?: string): string {
  const root = kind.apiVersion.includes('/') ? '/apis' : '/api';
  const scope = kind.clusterScoped === true || namespace === '' ? '' : `/namespaces/${checked(namespace)}`;
  const tail = name === undefined ? '' : `/${checked(name)}`;
  return `${root}/${kind.apiVersion}${scope}/${kind.plural}${tail}`;
}

async function readWhole(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes: unknown = chunk;
    if (!Buffer.isBuffer(bytes)) continue;
    size += bytes.length;
    if (size > MAX_BODY_BYTES) throw new CliError('the API server answered with more than 256 MiB');
    chunks.push(bytes);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}
