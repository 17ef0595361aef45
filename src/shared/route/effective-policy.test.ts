import { test } from 'tap';
import { effectivePolicy } from './effective-policy.ts';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from './traffic-policy.ts';

const policy = (maxConnections: number): TrafficPolicy => ({ ...NO_TRAFFIC_POLICY, maxConnections });

test('the most specific policy holds, whole', async t => {
  const routes = {
    trafficPolicy: { ...policy(1), maxRetries: 7 },
    portPolicies: [{ port: 80, policy: policy(2) }],
    subsets: [
      {
        name: 'v1',
        workloads: [],
        trafficPolicy: policy(3),
        portPolicies: [{ port: 80, policy: policy(4) }],
      },
      { name: 'v2', workloads: [], trafficPolicy: undefined, portPolicies: [] },
    ],
  };
  const of = (port: number, subset?: string) => effectivePolicy(routes, port, subset);
  t.match(of(81), { maxConnections: 1, maxRetries: 7 }, "the service's");
  t.match(of(80), { maxConnections: 2, maxRetries: undefined }, 'of the port, which inherits nothing');
  t.match(
    of(81, 'v1'),
    { maxConnections: 3, maxRetries: undefined },
    'of the subset, which inherits nothing',
  );
  t.equal(of(80, 'v1').maxConnections, 4, 'of the port of the subset');
  t.equal(of(80, 'v2').maxConnections, 2, 'a subset without one has that of the port');
  t.equal(of(81, 'v3').maxConnections, 1, "an unknown subset has the service's");
});
