import { type AdminRoute, AdminServer, json, text } from '#shared/observability/admin-server.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { Playground } from './playground.ts';
import { stateLayout } from './state-layout.ts';

const DEFAULT_EXEC_SECONDS = 60;
const MAX_EXEC_SECONDS = 3_600;

/** Name of the unix socket, among those of the proxies, by which `ambientctl playground` talks to a running playground. */
export const CONTROL_SOCKET = 'playground';

/** Serves `ambientctl playground status|exec|logs` for as long as the playground runs. */
export async function serveControl(playground: Playground, logger: Logger): Promise<AdminServer> {
  const server = new AdminServer(controlRoutes(playground), logger);
  await server.listen({ unixSocket: stateLayout(playground.stateDir).adminSocketOf(CONTROL_SOCKET) });
  return server;
}

function controlRoutes(playground: Playground): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/status',
      help: 'pods and proxies',
      handle: async () => {
        const notReady = await playground.proxiesNotReady();
        return json({
          mode: playground.mode,
          pods: podStatus(playground),
          proxies: playground.proxies,
          notReady,
        });
      },
    },
    {
      method: 'POST',
      path: '/exec',
      help: 'runs a program in a pod: ?pod=NAMESPACE/NAME&arg=…&arg=…&seconds=60',
      handle: async ({ query }) => {
        const pod = query.get('pod') ?? '';
        const argv = query.getAll('arg');
        const seconds = Number(query.get('seconds') ?? DEFAULT_EXEC_SECONDS);
        if (!playground.pods().has(pod))
          return text(`no pod ${JSON.stringify(pod)}; pods: ${names(playground)}\n`, 400);
        if (argv.length === 0) return text('no program to run\n', 400);
        if (!(seconds >= 1 && seconds <= MAX_EXEC_SECONDS))
          return text('seconds must be from 1 to 3600\n', 400);
        try {
          return json(await playground.exec(pod, argv, seconds * 1_000));
        } catch (error) {
          return text(`${errorMessage(error)}\n`, 400);
        }
      },
    },
    {
      method: 'GET',
      path: '/logs',
      help: 'log of a proxy: ?proxy=NAME',
      handle: ({ query }) => {
        const proxy = query.get('proxy') ?? '';
        if (!playground.proxies.includes(proxy)) {
          return text(`no proxy ${JSON.stringify(proxy)}; proxies: ${playground.proxies.join(', ')}\n`, 400);
        }
        return text(playground.log(proxy));
      },
    },
  ];
}

function podStatus(playground: Playground): object[] {
  return [...playground.pods()].map(([name, pod]) => ({
    name,
    ips: pod.network.ips,
    node: pod.spec.nodeName,
    ...pod.captureState(),
  }));
}

function names(playground: Playground): string {
  return [...playground.pods().keys()].join(', ');
}
