import { test } from 'tap';
import { mesh, workload } from '#shared/testing/topology.ts';
import { findLocalWorkload } from './local-workload.ts';

const settings = { trustDomain: 'cluster.local', clusterId: 'Kubernetes', network: '', nodeName: 'node-a' };
const info = { uid: 'u-1', name: 'orders-1', namespace: 'shop', serviceAccount: 'orders', ips: ['10.0.0.1'] };
const orders = workload('orders-1', { namespace: 'shop', serviceAccount: 'orders', addresses: ['10.0.0.1'] });

test('what the mesh knows of a local pod', t => {
  const known = findLocalWorkload(mesh({ workloads: [orders] }), info, settings);
  t.strictSame(known, { workload: orders, known: true }, 'found by its uid');
  const entry = { ...orders, uid: 'Kubernetes/networking.istio.io/WorkloadEntry/shop/vm', name: 'vm' };
  t.equal(
    findLocalWorkload(mesh({ workloads: [entry] }), info, settings).workload,
    entry,
    'or by its address',
  );
  t.match(
    findLocalWorkload(mesh({}), info, settings),
    {
      known: false,
      workload: {
        name: 'orders-1',
        serviceAccount: 'orders',
        addresses: ['10.0.0.1'],
        tunnelProtocol: 'hbone',
      },
    },
    'not known yet: it has an identity all the same, from the node',
  );
  const other = { ...orders, serviceAccount: 'admin' };
  t.match(
    findLocalWorkload(mesh({ workloads: [other] }), info, settings),
    { known: false, workload: { serviceAccount: 'orders' } },
    'another service account (a pod of that name from before) is not believed',
  );
  t.end();
});
