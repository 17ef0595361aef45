import { createServer } from 'node:http';
import { test } from 'tap';
import { type FailoverTarget, NO_TRAFFIC_POLICY } from '#shared/route/traffic-policy.ts';
import { ask, deploy, deployBeside } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';
import { noRoutes } from '#shared/testing/topology.ts';

test('where a service has no endpoint the next one that has some takes over, and gives back', async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => lab.close());
  const backup = await deployBeside(
    lab,
    'backup',
    30,
    createServer((_, res) => res.end('backup')),
    'http11',
  );
  const failover: readonly FailoverTarget[] = [
    { service: 'default/nobody.default.svc.cluster.local', subset: undefined },
    { service: backup, subset: 'empty' },
    { service: backup, subset: undefined },
  ];
  const { echo, port, workloads } = await deploy(lab, [(_, res) => void res.end('echo')], () => ({
    trafficPolicy: { ...NO_TRAFFIC_POLICY, failover },
  }));
  const said = async (): Promise<string> => (await ask(port)).body;
  t.equal(await said(), 'echo');
  lab.apply({ workloads: workloads.map(one => ({ ...one, status: 'unhealthy' })) });
  t.equal(await said(), 'backup');
  lab.apply({ removedWorkloads: workloads.map(({ uid }) => uid) });
  t.equal(await said(), 'backup');
  lab.apply({ workloads });
  t.equal(await said(), 'echo');
  lab.apply({ removedWorkloads: workloads.map(({ uid }) => uid), routes: [noRoutes(echo)] });
  t.equal((await ask(port)).status, 503, 'nobody is named any more');
});
