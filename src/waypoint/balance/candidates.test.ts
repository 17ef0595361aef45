import { test } from 'tap';
import { port, workload } from '#shared/testing/topology.ts';
import type { LoadBalancing, Workload } from '#shared/workload/workload.ts';
import { candidates, type CandidateOptions } from './candidates.ts';
import { EndpointLoads } from './endpoint.ts';
import { makeLevels } from './locality.ts';

const HERE = {
  network: 'n1',
  node: 'node-a',
  clusterId: 'c1',
  locality: { region: 'r1', zone: 'z1', subzone: 's1' },
};
const at = (over: Partial<Workload>): Partial<Workload> => ({ ...HERE, ...over });
const zone = (region: string, z: string): Partial<Workload> =>
  at({ locality: { region, zone: z, subzone: 's1' } });

const LB: LoadBalancing = {
  routingPreference: ['network', 'region', 'zone'],
  mode: 'failover',
  healthPolicy: 'only_healthy',
};

interface Row {
  readonly options?: Partial<CandidateOptions>;
  readonly workloads: Readonly<Record<string, Partial<Workload>>>;
  readonly expected: readonly string[];
}

const ROWS: Readonly<Record<string, Row>> = {
  'a healthy endpoint with the port is taken': { workloads: { a: {} }, expected: ['a'] },
  'an unhealthy one is not': { workloads: { a: { status: 'unhealthy' }, b: {} }, expected: ['b'] },
  'unless the service takes all': {
    options: { loadBalancing: { ...LB, mode: 'unspecified', healthPolicy: 'allow_all' } },
    workloads: { a: { status: 'unhealthy' }, b: {} },
    expected: ['a', 'b'],
  },
  'a capacity of 0 takes nothing': { workloads: { a: { capacity: 0 }, b: {} }, expected: ['b'] },
  'an endpoint without the port is not taken': {
    options: { servicePort: 81 },
    workloads: { a: {} },
    expected: [],
  },
  'a subset limits the choice': {
    options: { subset: ['Kubernetes//Pod/default/b'] },
    workloads: { a: {}, b: {} },
    expected: ['b'],
  },
  'an empty subset has no endpoint': { options: { subset: [] }, workloads: { a: {} }, expected: [] },
  'failover takes the nearest rank': {
    options: { loadBalancing: LB },
    workloads: { near: zone('r1', 'z1'), far: zone('r1', 'z2'), farther: zone('r2', 'z1') },
    expected: ['near'],
  },
  'failover goes on to the next rank': {
    options: { loadBalancing: LB },
    workloads: {
      near: { ...zone('r1', 'z1'), status: 'unhealthy' },
      far: zone('r1', 'z2'),
      farther: zone('r2', 'z2'),
    },
    expected: ['far'],
  },
  'failover takes the farthest when there is nothing else': {
    options: { loadBalancing: LB },
    workloads: { far: at({ network: 'n2' }) },
    expected: ['far'],
  },
  'strict takes only what shares every scope': {
    options: { loadBalancing: { ...LB, mode: 'strict' } },
    workloads: { near: zone('r1', 'z1'), far: zone('r1', 'z2') },
    expected: ['near'],
  },
  'strict may take nothing': {
    options: { loadBalancing: { ...LB, mode: 'strict' } },
    workloads: { far: zone('r1', 'z2') },
    expected: [],
  },
  'a zone of the same name in another region is another zone': {
    options: { loadBalancing: { ...LB, routingPreference: ['zone'], mode: 'strict' } },
    workloads: { same: zone('r1', 'z1'), other: zone('r2', 'z1') },
    expected: ['same'],
  },
  'a subzone is compared within its zone': {
    options: { loadBalancing: { ...LB, routingPreference: ['subzone'], mode: 'strict' } },
    workloads: { same: zone('r1', 'z1'), other: zone('r1', 'z2') },
    expected: ['same'],
  },
  'the node may be a scope': {
    options: { loadBalancing: { ...LB, routingPreference: ['node'] } },
    workloads: { same: at({}), other: at({ node: 'node-b' }) },
    expected: ['same'],
  },
  'the cluster may be a scope': {
    options: { loadBalancing: { ...LB, routingPreference: ['cluster'] } },
    workloads: { same: at({}), other: at({ clusterId: 'c2' }) },
    expected: ['same'],
  },
  'without a mode there is no preference': {
    options: { loadBalancing: { ...LB, mode: 'unspecified' } },
    workloads: { near: zone('r1', 'z1'), far: zone('r2', 'z2') },
    expected: ['near', 'far'],
  },
};

test('candidates', async t => {
  for (const [name, row] of Object.entries(ROWS)) {
    const endpoints = Object.entries(row.workloads).map(([n, over]) => ({
      workload: workload(n, over),
      ports: [port(80, 8080)],
    }));
    const options = { servicePort: 80, subset: undefined, loadBalancing: undefined, ...row.options };
    const able = candidates(endpoints, options, new EndpointLoads());
    const { loadBalancing } = options;
    const [nearest = []] = makeLevels(able, {
      policy: undefined,
      loadBalancing,
      place: HERE,
      detectsOutliers: false,
    });
    const found = nearest.flatMap(part => part.endpoints);
    t.same(
      found.map(endpoint => endpoint.workload.name),
      row.expected,
      name,
    );
  }
});

test('ports and loads', async t => {
  const loads = new EndpointLoads();
  const options = { servicePort: 80, subset: undefined, loadBalancing: undefined };
  const endpoints = [{ workload: workload('a'), ports: [port(80, 8080)] }];
  const [first] = candidates(endpoints, options, loads);
  t.equal(first?.targetPort, 8080, 'the service port is translated');
  const [same] = candidates([{ workload: workload('a'), ports: [port(80, 0)] }], options, loads);
  t.equal(same?.targetPort, 80, 'target port 0 is the service port');
  t.equal(same?.load, first?.load, 'the load of a workload outlives a change');
  candidates([], options, loads);
  t.equal(loads.size, 0, 'and is forgotten with the workload');
});
