import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { JsonObject } from '#shared/config/json.ts';
import { APPLY_PATCH, KubeClient, type KubeRequest, MERGE_PATCH } from '#shared/kube/client.ts';
import type { KubeConnection } from '#shared/kube/connection.ts';
import { isNotFound, KubeError } from '#shared/kube/kube-error.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { CliError } from '../cli-error.ts';
import { child, children, text } from '#shared/config/json-fields.ts';
import { eachLine } from '../lines.ts';
import { singleLine } from '../single-line.ts';
import { connectionFailure } from './connection-failure.ts';
import { POD } from './kinds.ts';
import type { KubeApi, ListOptions, LogOptions } from './kube-api.ts';
import { decodeKubeObject, type KubeObject, type ObjectKind } from './kube-object.ts';

const DEADLINE_MS = 15_000;
const PAGE = '500';
const FIELD_MANAGER = 'ambientctl';

/** The Kubernetes API as commands need it. Objects stay JSON, so that no field is lost or guessed at. */
export class OperatorApi implements KubeApi {
  readonly server: string;
  readonly namespace: string;
  readonly #connection: KubeConnection;
  readonly #client: KubeClient;

  constructor(connection: KubeConnection) {
    this.server = connection.server.href.replace(/\/$/, '');
    this.namespace = connection.namespace;
    this.#connection = connection;
    this.#client = new KubeClient(connection, systemClock, FIELD_MANAGER);
  }

  async version(): Promise<string> {
    return text(await this.#call('read the version', { path: '/version' }), 'gitVersion');
  }

  async get(kind: ObjectKind, namespace: string, name: string): Promise<KubeObject | undefined> {
    const path = pathOf(kind, namespace, name);
    const found = await this.#callIfThere(`read ${kind.kind} ${name}`, { path });
    return found === undefined ? undefined : decodeKubeObject(found, kind);
  }

  async list(kind: ObjectKind, options: ListOptions = {}): Promise<readonly KubeObject[] | undefined> {
    const found: KubeObject[] = [];
    const path = pathOf(kind, options.namespace ?? '');
    let next: string | undefined;
    do {
      const query = { limit: PAGE, labelSelector: options.labelSelector, continue: next };
      const list = await this.#callIfThere(`list ${kind.plural}`, { path, query });
      if (list === undefined) return undefined;
      for (const item of children(list, 'items')) found.push(decodeKubeObject(item, kind));
      next = text(child(list, 'metadata'), 'continue') || undefined;
    } while (next !== undefined);
    return found;
  }

  async apply(kind: ObjectKind, object: JsonObject): Promise<KubeObject> {
    const metadata = child(object, 'metadata');
    const name = text(metadata, 'name');
    const answer = await this.#call(`apply ${kind.kind} ${name}`, {
      method: 'PATCH',
      path: pathOf(kind, text(metadata, 'namespace'), name),
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      body: object,
      contentType: APPLY_PATCH,
    });
    return decodeKubeObject(answer, kind);
  }

  async merge(kind: ObjectKind, namespace: string, name: string, patch: JsonObject): Promise<KubeObject> {
    const answer = await this.#call(`change ${kind.kind} ${name}`, {
      method: 'PATCH',
      path: pathOf(kind, namespace, name),
      query: { fieldManager: FIELD_MANAGER },
      body: patch,
      contentType: MERGE_PATCH,
    });
    return decodeKubeObject(answer, kind);
  }

  async remove(kind: ObjectKind, namespace: string, name: string): Promise<boolean> {
    const request: KubeRequest = { method: 'DELETE', path: pathOf(kind, namespace, name) };
    return (await this.#callIfThere(`delete ${kind.kind} ${name}`, request)) !== undefined;
  }

  async mayI(verb: string, kind: ObjectKind): Promise<boolean> {
    const group = kind.apiVersion.includes('/') ? (kind.apiVersion.split('/')[0] ?? '') : '';
    const answer = await this.#call('ask what you may do', {
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { verb, group, resource: kind.plural } },
      },
    });
    return child(answer, 'status')['allowed'] === true;
  }

  async log(
    namespace: string,
    pod: string,
    options: LogOptions,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const what = `read the log of ${namespace}/${pod}`;
    const query = `follow=${String(options.follow)}&tailLines=${options.tailLines}`;
    try {
      const response = await this.#openText(`${pathOf(POD, namespace, pod)}/log?${query}`, signal);
      if (response.statusCode === 200) return await eachLine(response, onLine, signal);
      const said: string[] = [];
      await eachLine(response, line => void said.push(line), signal);
      throw new KubeError(response.statusCode ?? 0, '', said.join(' ').slice(0, MAX_SHOWN_CHARS));
    } catch (error) {
      if (!signal.aborted) throw this.#explain(what, error);
    }
  }

  /** An answer that is no object. Its head has a deadline, its end has none. */
  async #openText(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const options = await this.#connection.requestOptions();
    const url = new URL(this.server + path);
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
    return new Promise((resolve, reject) => {
      const sent = send(url, { ...options, signal });
      const silence = setTimeout(() => sent.destroy(new Error('no answer within 15 s')), DEADLINE_MS);
      sent.on('response', resolve);
      sent.on('error', reject);
      for (const event of ['response', 'close']) sent.on(event, () => clearTimeout(silence));
      sent.end();
    });
  }

  async #call(what: string, request: KubeRequest): Promise<JsonObject> {
    try {
      return await this.#client.request({ deadlineMs: DEADLINE_MS, ...request });
    } catch (error) {
      throw this.#explain(what, error);
    }
  }

  /** Undefined: the object, or its kind, is not there. */
  async #callIfThere(what: string, request: KubeRequest): Promise<JsonObject | undefined> {
    try {
      return await this.#client.request({ deadlineMs: DEADLINE_MS, ...request });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw this.#explain(what, error);
    }
  }

  /** One line that says what was wanted, what the API server said, and what to do where that is known. */
  #explain(what: string, error: unknown): CliError {
    if (error instanceof CliError) return error;
    if (!(error instanceof KubeError)) return new CliError(connectionFailure(this.server, error));
    const said = serverWords(errorMessage(error));
    if (error.status === 401)
      return new CliError(`the API server ${this.server} does not accept the credentials of this context`);
    const forbidden = error.status === 403;
    const message = `cannot ${what}: the API server answered ${error.status}: ${said}`;
    return forbidden ? new ForbiddenError(message) : new CliError(message);
  }
}

/** Who asked may not: others may. */
export class ForbiddenError extends CliError {}

const MAX_SHOWN_CHARS = 400;

/** Without the request line that the client puts before what the server said. */
function serverWords(message: string): string {
  return singleLine(message.replace(/^[A-Z]+ \/\S*: /, '')).slice(0, MAX_SHOWN_CHARS);
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
