import { test } from 'tap';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { wantsAutoWaypoint } from './auto-waypoint.ts';

const AUTO = { 'ambient.mesh/auto-waypoint': 'true' };
const use = (name: string): Readonly<Record<string, string>> => ({ 'istio.io/use-waypoint': name });

const NAMESPACES: readonly [string, Readonly<Record<string, string>>, boolean, string | undefined][] = [
  ['no label', {}, false, undefined],
  ['the label', AUTO, true, 'waypoint'],
  ['the label with another value', { 'ambient.mesh/auto-waypoint': 'yes' }, false, undefined],
  ['the label, and the waypoint by its name', { ...AUTO, ...use('waypoint') }, true, 'waypoint'],
  ['the label, and another waypoint', { ...AUTO, ...use('mine') }, false, 'mine'],
  ['the label, and none', { ...AUTO, ...use('none') }, false, undefined],
];

test('what a namespace gets and uses by its labels', async t => {
  for (const [name, namespaceLabels, made, used] of NAMESPACES) {
    t.equal(wantsAutoWaypoint(namespaceLabels), made, `${name}: made`);
    t.equal(
      requestedWaypoint({ labels: {}, namespace: 'shop', namespaceLabels })?.name,
      used,
      `${name}: used`,
    );
  }
  const own = requestedWaypoint({ labels: use('none'), namespace: 'shop', namespaceLabels: AUTO });
  t.equal(own, undefined, 'a service may opt out');
});
