import {
  type Agent,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';
import type { RouteRule, ServiceRoutes } from '#shared/route/model.ts';
import { endpointOf, noRoutes, service, waypointOf, workload } from '#shared/testing/topology.ts';
import type { AppProtocol, Service, Workload } from '#shared/workload/workload.ts';
import type { AppServer, WaypointLab } from './waypoint-lab.ts';

export const GATEWAY = service('waypoint');
export const WAYPOINT = waypointOf(GATEWAY);

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: string;
}

export interface Ask {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly agent?: Agent;
}

/** One HTTP/1.1 request of Node's own client. */
export function ask(
  port: number,
  { path = '/', method, headers = {}, body, agent }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      port,
      path,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers,
      agent: agent ?? false,
    };
    const req = httpRequest({ host: '127.0.0.1', ...options }, res => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const { statusCode: status = 0, headers: fields, trailers } = res;
        resolve({ status, headers: fields, trailers, body: Buffer.concat(chunks).toString('latin1') });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

export type App = (req: IncomingMessage, res: ServerResponse) => void;

export interface Deployed {
  readonly echo: Service;
  readonly workloads: readonly Workload[];
  readonly port: number;
}

export const VIP = '10.96.0.10';

/** One service `echo` with an endpoint for each app, behind the waypoint. */
export async function deploy(
  lab: WaypointLab,
  apps: readonly (App | AppServer)[],
  routes: (echo: Service) => Partial<ServiceRoutes> = () => ({}),
  appProtocol: AppProtocol = 'unknown',
): Promise<Deployed> {
  const workloads: Workload[] = [];
  let echo = service('echo', { vip: VIP, waypoint: WAYPOINT });
  for (const [i, app] of apps.entries()) {
    const ip = lab.ip(10 + i);
    const targetPort = await lab.app(typeof app === 'function' ? createServer(app) : app, ip);
    const ports = [{ servicePort: 80, targetPort, appProtocol }];
    echo = { ...echo, ports };
    const name = `echo-${i + 1}`;
    const serviceAccount = 'echo';
    const w = workload(name, {
      addresses: [ip],
      services: endpointOf({ ...echo, ports }),
      serviceAccount,
      workloadName: name,
    });
    workloads.push(w);
    await lab.enrol(w);
  }
  lab.apply({ services: [GATEWAY, echo], workloads, routes: [noRoutes(echo, routes(echo))] });
  return { echo, workloads, port: await lab.client(VIP, 80) };
}

export function backend(of: Service, subset?: string, weight = 1): RouteRule['backends'][number] {
  return { weight, service: `${of.namespace}/${of.hostname}`, port: 80, subset, filters: [] };
}

/** A service beside `echo` that does without the waypoint: one that the waypoint asks. @returns its name */
export async function deployBeside(
  lab: WaypointLab,
  name: string,
  host: number,
  app: AppServer | App,
  appProtocol: AppProtocol,
): Promise<string> {
  const ip = lab.ip(host);
  const targetPort = await lab.app(typeof app === 'function' ? createServer(app) : app, ip);
  return addBeside(lab, name, ip, targetPort, appProtocol);
}

/** The same for an application that listens by itself. */
export async function addBeside(
  lab: WaypointLab,
  name: string,
  ip: string,
  targetPort: number,
  appProtocol: AppProtocol,
): Promise<string> {
  const beside = { ...service(name), ports: [{ servicePort: 80, targetPort, appProtocol }] };
  const w = workload(name, { addresses: [ip], services: endpointOf(beside), serviceAccount: name });
  await lab.enrol(w);
  lab.apply({ services: [beside], workloads: [w] });
  return `${beside.namespace}/${beside.hostname}`;
}
