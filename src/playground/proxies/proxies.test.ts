import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { EnvReader } from '#shared/config/env-reader.ts';
import { declareConfig as declareController } from '../../controller/config.ts';
import { declareConfig as declareWaypoint } from '../../waypoint/config.ts';
import { declareConfig as declareZtunnel } from '../../ztunnel/config.ts';
import { stateLayout } from '../state-layout.ts';
import { fetchAdmin } from './fetch-admin.ts';
import { writeJoinToken } from './join-token.ts';
import {
  controllerEnvironment,
  dedicatedZtunnelEnvironment,
  nodeZtunnelEnvironment,
  waypointEnvironment,
} from './proxy-environment.ts';

test('every tier knows every variable it is given, and takes its value', async t => {
  const proxy = { layout: stateLayout('/state'), name: 'it', controllerIp: '172.18.0.10', ip: '172.18.0.11' };
  const workload = {
    ...proxy,
    ip: '127.244.1.2',
    node: 'node-a',
    podName: 'web-0',
    namespace: 'shop',
    serviceAccount: 'web',
  };
  for (const [name, env, declare] of [
    ['controller', controllerEnvironment(proxy), declareController],
    ['ztunnel of a node', nodeZtunnelEnvironment(proxy, 'node-a'), declareZtunnel],
    ['ztunnel of a pod', dedicatedZtunnelEnvironment({ ...workload, ip: '127.64.1.2' }), declareZtunnel],
    ['waypoint', waypointEnvironment(workload, 'waypoint'), declareWaypoint],
  ] as const) {
    const reader = new EnvReader(env);
    declare(reader);
    const known = new Set(reader.declared.map(variable => variable.name));
    t.same(
      Object.keys(env).filter(variable => !known.has(variable)),
      [],
      name,
    );
    t.doesNotThrow(() => reader.finish(), name);
  }
});

test('join tokens and admin pages', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'token-'));
  const socketPath = join(directory, 'admin.sock');
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.statusCode = request.url?.startsWith('/token') === true ? 200 : 404;
    response.end('answer');
  }).listen(socketPath);
  t.teardown(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  const token = join(directory, 'token');
  await writeJoinToken(socketPath, token, { namespace: 'shop', serviceAccount: 'web', node: 'node-a' });
  t.equal(readFileSync(token, 'utf8'), 'answer');
  await writeJoinToken(socketPath, token, { namespace: 'shop', serviceAccount: 'web', node: undefined });
  t.same(asked, ['POST /token?namespace=shop&serviceAccount=web&node=node-a'], 'one that is there is kept');
  await t.rejects(fetchAdmin(socketPath, '/none', 'GET'), {
    message: /admin\.sock\/none answered 404: answer/,
  });
  await t.rejects(fetchAdmin(join(directory, 'gone'), '/', 'GET'), { message: /gone\/: .*ENOENT/ });
});
