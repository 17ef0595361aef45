import { test } from 'tap';
import { IndexLab, pod, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

function meshConfig(normalization: string, namespace = 'root'): string {
  return `{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: ${namespace}}, data: {mesh: 'pathNormalization: {normalization: ${normalization}}'}}`;
}

test('waypoints are told what the mesh makes of paths, and when that changes', t => {
  const lab = new IndexLab(
    SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'),
    WAYPOINT.replace('namespace: shop}', 'namespace: shop, labels: {istio.io/waypoint-for: all}}'),
    service('waypoint', { ports: '[{name: mesh, port: 15008}]' }),
    pod('payments'),
    service('payments'),
  );
  const told = (): readonly (string | undefined)[] => [
    lab.routes('payments')?.pathNormalization,
    lab.routesOf('shop/c//Pod/shop/payments')?.pathNormalization,
  ];
  t.same(told(), ['base', 'base']);
  lab.apply(meshConfig('MERGE_SLASHES'));
  t.same(told(), ['merge_slashes', 'merge_slashes']);
  lab.apply(meshConfig('DECODE_AND_MERGE_SLASHES'));
  t.same(told(), ['decode_and_merge_slashes', 'decode_and_merge_slashes']);
  lab.apply(meshConfig('NONE'));
  t.same(told(), ['base', 'base'], 'not done, and so as by default');
  lab.apply(meshConfig('MERGE_SLASHES', 'shop'));
  t.same(told(), ['base', 'base'], 'of another namespace it says nothing to the mesh');
  lab.apply(meshConfig('MERGE_SLASHES'));
  lab.remove(meshConfig('MERGE_SLASHES'));
  t.same(told(), ['base', 'base'], 'taken back');
  t.end();
});
