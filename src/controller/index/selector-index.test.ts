import { test } from 'tap';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import { SelectorIndex } from './selector-index.ts';

function service(name: string, selector: Readonly<Record<string, string>>): ServiceSpec {
  return {
    name,
    namespace: 'shop',
    hostname: `${name}.shop.svc.cluster.local`,
    selector: new Map(Object.entries(selector)),
    ports: [],
    clusterIps: [],
    publishNotReadyAddresses: false,
  };
}

const INDEX = new SelectorIndex([
  service('canary', { version: 'v2', app: 'web' }),
  service('web', { app: 'web' }),
  service('manual', {}),
  service('db', { app: 'db' }),
]);

const ROWS: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[]])[] = [
  ['a label alone', { app: 'web' }, ['web']],
  [
    'every label of a selector, in the order of the Services',
    { app: 'web', version: 'v2' },
    ['canary', 'web'],
  ],
  ['one label of two is not enough', { version: 'v2' }, []],
  ['labels that nobody selects', { app: 'other', 'version=v2': '' }, []],
  ['no labels: a Service without a selector has no pods', {}, []],
];

test('which Services select a workload', t => {
  for (const [sentence, labels, names] of ROWS) {
    t.same(
      INDEX.select(labels).map(({ name }) => name),
      names,
      sentence,
    );
  }
  t.end();
});
