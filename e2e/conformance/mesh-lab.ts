import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  request as httpRequest,
} from 'node:http';
import { connect, createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { MeshIndex } from '../../src/controller/index/mesh-index.ts';
import { ResourceStore } from '../../src/controller/discovery/resource-store.ts';
import { parseObjectFile } from '../../src/controller/source/object-file.ts';
import { RESOURCE_TYPES } from '../../src/shared/discovery/mesh-resource.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { isJsonObject, parseJson } from '../../src/shared/config/json.ts';
import { type AppServer, WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';

/**
 * The cluster of the conformance suite in one process: Services `echo`, `echo-v1`, `echo-v2` with a pod a version, behind a
 * waypoint; routes as YAML, through the controller's translation, on a real waypoint between real HBONE peers.
 */
const VIPS = { echo: '10.96.0.1', 'echo-v1': '10.96.0.2', 'echo-v2': '10.96.0.3' } as const;
export type EchoService = keyof typeof VIPS;

/** What came back, and what the application saw of the request. */
export interface EchoAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Version of the pod that answered; undefined when none did. */
  readonly backend: string | undefined;
  readonly path: string;
  readonly seen: Readonly<Record<string, unknown>>;
}

export interface EchoRequest {
  readonly service?: EchoService;
  readonly port?: number;
  readonly host?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class ConformanceLab {
  readonly #lab: WaypointLab;

  private constructor(lab: WaypointLab) {
    this.#lab = lab;
  }

  /** @param caller namespace of the clients */
  static async create(routes: string, caller = 'default'): Promise<ConformanceLab> {
    const clientId = `spiffe://cluster.local/ns/${caller}/sa/client`;
    const lab = await WaypointLab.create({}, Math.random, clientId);
    const pods: string[] = [];
    for (const [i, version] of ['v1', 'v2'].entries()) {
      const ip = lab.ip(10 + i);
      const http = await lab.app(
        createHttpServer((req, res) => res.end(echo(version, req.url, req.headers))),
        ip,
      );
      const grpc = grpcServer(version);
      pods.push(pod(version, ip, http, await lab.app(grpc, ip)));
    }
    const services = Object.entries(VIPS).map(([name, vip]) => service(name, vip));
    await new TranslatedMesh(lab).apply(WAYPOINT_NAMESPACE, ...services, ...pods, routes);
    return new ConformanceLab(lab);
  }

  async ask(request: EchoRequest): Promise<EchoAnswer> {
    const { headers = {}, path = '/', port = 80, service: name = 'echo' } = request;
    const local = await this.#lab.client(VIPS[name], port);
    const host = request.host ?? name;
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: local, path, headers: { ...headers, host }, agent: false };
      const sent = httpRequest(options, response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          resolve({ status, headers: response.headers, ...readEcho(Buffer.concat(chunks).toString('utf8')) });
        });
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  /** Sends gRPC calls one after the other. @returns which versions answered */
  async call(count: number): Promise<readonly string[]> {
    const session = connect(`http://127.0.0.1:${await this.#lab.client(VIPS.echo, 7070)}`);
    const versions: string[] = [];
    try {
      for (let i = 0; i < count; i++) {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/proto.EchoTestService/Echo',
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.end();
        versions.push(
          await new Promise<string>((resolve, reject) => {
            stream.on('response', fields => resolve(String(fields['x-pod'])));
            stream.on('error', reject);
            stream.resume();
          }),
        );
      }
    } finally {
      session.destroy();
    }
    return versions;
  }

  close(): Promise<void> {
    return this.#lab.close();
  }
}

/** Answers every call with no message. Its connections are cut when it is closed: HTTP/2 would keep them. */
function grpcServer(version: string): AppServer {
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server((_req, res) => {
    res.writeHead(200, { 'content-type': 'application/grpc', 'x-pod': version });
    res.addTrailers({ 'grpc-status': '0' });
    res.end();
  });
  server.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  const closeAllConnections = (): void => {
    for (const session of sessions) session.destroy();
  };
  return Object.assign(server, { closeAllConnections });
}

function echo(version: string, path: string | undefined, headers: IncomingHttpHeaders): string {
  return JSON.stringify({ version, path, headers });
}

function readEcho(text: string): Pick<EchoAnswer, 'backend' | 'path' | 'seen'> {
  if (!text.startsWith('{')) return { backend: undefined, path: '', seen: {} };
  const value = parseJson(text);
  if (!isJsonObject(value)) throw new Error(`no echo: ${text}`);
  const { headers, path, version } = value;
  return {
    backend: `echo-${String(version)}`,
    path: String(path),
    seen: isJsonObject(headers) ? headers : {},
  };
}

/** Objects as YAML, and what the controller makes of them on a waypoint. */
export class TranslatedMesh {
  readonly #lab: WaypointLab;
  readonly #store = new ResourceStore();
  readonly #index = new MeshIndex({
    cluster: {
      clusterId: 'Kubernetes',
      clusterDomain: 'cluster.local',
      trustDomain: 'cluster.local',
      network: '',
    },
    rootNamespace: 'istio-system',
    store: this.#store,
    logger: quietLogger,
  });
  readonly #enrolled = new Set<string>();

  constructor(lab: WaypointLab) {
    this.#lab = lab;
  }

  /** Rejects when one of them is rejected. */
  async apply(...yaml: readonly string[]): Promise<void> {
    const { objects, problems } = parseObjectFile(yaml.join('\n---\n'), 'conformance', undefined);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    this.#index.apply({ upserts: [...objects.values()], deletes: [] });
    const rejected = this.#index.statuses().filter(({ state }) => state !== 'accepted');
    if (rejected.length > 0) throw new Error(JSON.stringify(rejected));
    const resources = RESOURCE_TYPES.flatMap(type =>
      [...this.#store.all(type).values()].map(({ resource }) => resource),
    );
    const workloads = resources.flatMap(one => (one.kind === 'workload' ? [one.workload] : []));
    for (const workload of workloads) {
      if (workload.tunnelProtocol === 'none' || this.#enrolled.has(workload.uid)) continue;
      this.#enrolled.add(workload.uid);
      await this.#lab.enrol(workload);
    }
    this.#lab.apply({
      workloads,
      services: resources.flatMap(one => (one.kind === 'service' ? [one.service] : [])),
      policies: resources.flatMap(one => (one.kind === 'policy' ? [one.policy] : [])),
      routes: resources.flatMap(one => (one.kind === 'routes' ? [one.routes] : [])),
    });
  }
}

/** Namespace `default`, behind a waypoint. */
export const WAYPOINT_NAMESPACE = `
apiVersion: v1
kind: Namespace
metadata: {name: default, labels: {istio.io/use-waypoint: waypoint}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: default}
spec: {gatewayClassName: ambient-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}`;

function service(name: string, vip: string): string {
  const selector = name === 'echo' ? '{app: echo}' : `{app: echo, version: ${name.slice(-2)}}`;
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  clusterIP: ${vip}
  selector: ${selector}
  ports:
    - {name: http, port: 80, appProtocol: http, targetPort: http}
    - {name: http-alt, port: 8080, appProtocol: http, targetPort: http}
    - {name: grpc, port: 7070, targetPort: grpc}`;
}

function pod(version: string, ip: string, http: number, grpc: number): string {
  return `
apiVersion: v1
kind: Pod
metadata:
  name: echo-${version}
  namespace: default
  labels: {app: echo, version: ${version}}
  annotations: {ambient.istio.io/redirection: enabled}
spec:
  nodeName: node-a
  serviceAccountName: echo
  containers: [{ports: [{name: http, containerPort: ${http}}, {name: grpc, containerPort: ${grpc}}]}]
status: {phase: Running, podIPs: [{ip: ${ip}}], conditions: [{type: Ready, status: "True"}]}`;
}
