import { createServer } from 'node:http';
import { test } from 'tap';
import { ask, deploy } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

/** Of an endpoint that somebody has written down: the applications of these tests listen on loopback. */
const ANYWHERE = { ip: '0.0.0.0', port: 0 };

test('an endpoint on loopback would be the waypoint itself, and is not dialled', async t => {
  const reached: string[] = [];
  const app = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.end();
  });
  const lab = await WaypointLab.create({ listen: ANYWHERE, ips: ['10.0.0.5'] });
  t.teardown(() => lab.close());
  const { workloads, port } = await deploy(lab, [app]);
  t.equal((await ask(port, { path: '/tunnelled' })).status, 503, 'in a tunnel');
  lab.apply({ workloads: workloads.map(one => ({ ...one, tunnelProtocol: 'none' as const })) });
  t.equal((await ask(port, { path: '/config_dump' })).status, 503, 'as it is');
  t.same(reached, []);
  t.match((await lab.access(2)).join('\n'), /would lead the waypoint to itself/, 'and the log says why');
});
