import { test } from 'tap';
import { GroupTable } from './group-table.ts';
import type { HboneTarget } from './hbone-target.ts';

const TARGET: HboneTarget = {
  sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/web',
  destinationIdentities: [
    'spiffe://cluster.local/ns/shop/sa/orders',
    'spiffe://cluster.local/ns/shop/sa/old',
  ],
  remote: { ip: '10.0.0.1', port: 15008 },
  workloadUid: 'Kubernetes//Pod/shop/orders-1',
  request: { host: '10.0.0.1', port: 80 },
};

const [ORDERS = '', OLD = ''] = TARGET.destinationIdentities;

test('which targets share sessions', t => {
  const rows: [sentence: string, other: Partial<HboneTarget>, shared: boolean][] = [
    [
      'the same in other objects',
      { remote: { ...TARGET.remote }, destinationIdentities: [ORDERS, OLD] },
      true,
    ],
    ['another port behind the tunnel', { request: { host: '10.0.0.1', port: 81 } }, true],
    ['another source', { sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/cart' }, false],
    ['another workload that got the address', { workloadUid: 'Kubernetes//Pod/shop/orders-2' }, false],
    ['another identity is expected', { destinationIdentities: [ORDERS, ORDERS] }, false],
    ['fewer identities are expected', { destinationIdentities: [ORDERS] }, false],
    ['more identities are expected', { destinationIdentities: [ORDERS, OLD, 'spiffe://a/ns/b/sa/c'] }, false],
    ['another port is dialled', { remote: { ip: '10.0.0.1', port: 15009 } }, false],
    ['another address is dialled', { remote: { ip: '10.0.0.2', port: 15008 } }, false],
  ];
  for (const [sentence, other, shared] of rows) {
    const table = new GroupTable();
    const group = { target: TARGET };
    table.add(group);
    t.equal(table.find({ ...TARGET, ...other }), shared ? group : undefined, sentence);
  }
  t.end();
});

test('groups behind one address come and go by themselves', t => {
  const table = new GroupTable();
  const first = { target: TARGET };
  const second = { target: { ...TARGET, workloadUid: 'Kubernetes//Pod/shop/orders-2' } };
  t.ok(table.isEmpty);
  table.add(first);
  table.add(second);
  t.same(table.all(), [first, second]);
  for (const group of table.all()) {
    t.equal(table.find(group.target), group);
    table.delete(group);
    t.equal(table.find(group.target), undefined);
    table.delete(group);
  }
  t.ok(table.isEmpty);
  t.end();
});
