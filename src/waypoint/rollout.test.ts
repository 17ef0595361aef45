import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { test } from 'tap';
import { ask, deploy } from './testing/deploy.ts';
import { type AppServer, WaypointLab } from './testing/waypoint-lab.ts';

/** An application that can be told to end as a pod does: it takes nothing new and answers what it has. */
interface Stoppable {
  readonly server: AppServer;
  stop(): void;
}

function http1App(): Stoppable {
  const server = createServer((_, res) => void setImmediate(() => res.end('ok')));
  return { server, stop: () => void server.close() };
}

function http2App(): Stoppable {
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server((_, res) => void setImmediate(() => res.end('ok')));
  server.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  return {
    server,
    stop() {
      server.close();
      // GOAWAY, and the end once the streams under way are answered.
      for (const session of sessions) session.close();
    },
  };
}

const PROTOCOLS = [
  ['HTTP/1.1', 'http11', http1App],
  ['HTTP/2', 'http2', http2App],
] as const;

for (const [name, appProtocol, makeApp] of PROTOCOLS) {
  test(`a rollout over real sockets, ${name}: pods end one after the other, before the mesh hears of it, and nobody notices`, async t => {
    const lab = await WaypointLab.create();
    t.teardown(() => lab.close());
    const apps = [makeApp(), makeApp(), makeApp()];
    const { port, workloads } = await deploy(
      lab,
      apps.map(({ server }) => server),
      () => ({}),
      appProtocol,
    );
    const statuses: number[] = [];
    let running = true;
    let reached: { readonly count: number; readonly resolve: () => void } | undefined;
    const client = async (): Promise<void> => {
      while (running) {
        const { status } = await ask(port);
        statuses.push(status);
        if (reached !== undefined && statuses.length >= reached.count) reached.resolve();
      }
    };
    const clients = Array.from({ length: 6 }, client);
    const more = (count: number): Promise<void> =>
      new Promise(resolve => {
        reached = { count: statuses.length + count, resolve };
      });
    await more(60);
    for (const i of [0, 1]) {
      apps[i]?.stop();
      await more(60);
      lab.apply({ removedWorkloads: [workloads[i]?.uid ?? ''] });
      await more(60);
    }
    running = false;
    await Promise.all(clients);
    t.ok(statuses.length >= 300);
    t.same(
      statuses.filter(status => status !== 200),
      [],
    );
  });
}
