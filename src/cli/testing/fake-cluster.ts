import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { child, text } from '#shared/config/json-fields.ts';
import type { AdminTarget } from '../admin-client.ts';
import { CliError } from '../cli-error.ts';
import type { Cluster, KubeApi, ListOptions, LogOptions } from '../cluster/kube-api.ts';
import { decodeKubeObject, type KubeObject, type ObjectKind } from '../cluster/kube-object.ts';

/** An API server in memory, for outputs. What the real one does with a request is proven in `e2e/kube/tests/ambientctl.test.ts`. */
export class FakeCluster implements Cluster, KubeApi {
  readonly api: KubeApi = this;
  readonly server = 'https://10.0.0.1:6443';
  readonly namespace = 'default';
  /** `Kind` of kinds that are not served. */
  readonly missingKinds = new Set<string>();
  /** `namespace/pod` → its admin server. */
  readonly admin = new Map<string, AdminTarget>();
  readonly logs = new Map<string, readonly string[]>();
  /** `namespace/pod` whose kubelet does not answer. */
  readonly unreachable = new Set<string>();
  /** What was changed, a line each. */
  readonly changes: string[] = [];
  /** What the API server makes of an object that is applied. */
  onApply: (object: JsonObject) => JsonObject = object => object;
  serverVersion = 'v1.36.3';
  mayDo = true;
  #objects: { kind: string; object: JsonObject }[] = [];

  /** Adds the objects of YAML documents. */
  add(yaml: string): this {
    for (const document of parseAllDocuments(yaml)) {
      const object: unknown = document.toJS();
      if (isJsonObject(object)) this.#objects.push({ kind: text(object, 'kind'), object });
    }
    return this;
  }

  forward(namespace: string, pod: string): AdminTarget {
    return this.admin.get(`${namespace}/${pod}`) ?? { socketPath: `/nonexistent/${pod}` };
  }

  version(): Promise<string> {
    return Promise.resolve(this.serverVersion);
  }

  async get(kind: ObjectKind, namespace: string, name: string): Promise<KubeObject | undefined> {
    const all = await this.list(kind);
    return all?.find(o => o.name === name && (kind.clusterScoped === true || o.namespace === namespace));
  }

  list(kind: ObjectKind, options: ListOptions = {}): Promise<readonly KubeObject[] | undefined> {
    if (this.missingKinds.has(kind.kind)) return Promise.resolve(undefined);
    return Promise.resolve(
      this.#objects
        .filter(o => o.kind === kind.kind)
        .map(o => decodeKubeObject(o.object, kind))
        .filter(o => options.namespace === undefined || o.namespace === options.namespace)
        .filter(o => options.labelSelector === undefined || selects(options.labelSelector, o.labels)),
    );
  }

  apply(kind: ObjectKind, object: JsonObject): Promise<KubeObject> {
    const metadata = child(object, 'metadata');
    this.#drop(kind, text(metadata, 'namespace'), text(metadata, 'name'));
    this.#objects.push({ kind: kind.kind, object: this.onApply(object) });
    this.changes.push(`apply ${kind.kind} ${text(metadata, 'namespace')}/${text(metadata, 'name')}`);
    return Promise.resolve(decodeKubeObject(object, kind));
  }

  async merge(kind: ObjectKind, namespace: string, name: string, patch: JsonObject): Promise<KubeObject> {
    const found = await this.get(kind, namespace, name);
    if (found === undefined) throw new CliError(`no ${kind.kind} ${name}`);
    this.changes.push(`merge ${kind.kind} ${name} ${JSON.stringify(patch)}`);
    return found;
  }

  async remove(kind: ObjectKind, namespace: string, name: string): Promise<boolean> {
    const found = await this.get(kind, namespace, name);
    if (found === undefined) return false;
    this.#drop(kind, namespace, name);
    this.changes.push(`remove ${kind.kind} ${namespace}/${name}`);
    return true;
  }

  mayI(): Promise<boolean> {
    return Promise.resolve(this.mayDo);
  }

  log(namespace: string, pod: string, _options: LogOptions, onLine: (line: string) => void): Promise<void> {
    const name = `${namespace}/${pod}`;
    if (this.unreachable.has(name)) return Promise.reject(new CliError(`cannot read the log of ${name}`));
    for (const line of this.logs.get(name) ?? []) onLine(line);
    return Promise.resolve();
  }

  #drop(kind: ObjectKind, namespace: string, name: string): void {
    this.#objects = this.#objects.filter(({ kind: k, object }) => {
      const metadata = child(object, 'metadata');
      return k !== kind.kind || text(metadata, 'namespace') !== namespace || text(metadata, 'name') !== name;
    });
  }
}

/** `a=b`, `a in (b,c)`, `a`; the forms that commands use. */
function selects(selector: string, labels: Readonly<Record<string, string>>): boolean {
  const set = /^(\S+) in \(([^)]*)\)$/.exec(selector);
  if (set !== null) return (set[2] ?? '').split(',').includes(labels[set[1] ?? ''] ?? '');
  return selector.split(',').every(term => {
    const [name = '', value] = term.split('=');
    return value === undefined ? name in labels : labels[name] === value;
  });
}
