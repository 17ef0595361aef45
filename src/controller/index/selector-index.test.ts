import { test } from 'tap';
import type { Labels, LabelSelector } from '#shared/kube/label-selector.ts';
import { podsOf, type ServiceSpec } from '../translate/service/service-spec.ts';
import { SelectorIndex } from './selector-index.ts';

function service(name: string, selector: Labels): ServiceSpec {
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

const SERVICES = new SelectorIndex(
  [
    service('canary', { version: 'v2', app: 'web' }),
    service('web', { app: 'web' }),
    service('manual', {}),
    service('db', { app: 'db' }),
  ],
  podsOf,
);

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
      SERVICES.select(labels).map(({ name }) => name),
      names,
      sentence,
    );
  }
  t.end();
});

/** As Servers of Linkerd, which may ask for more than labels of one value. */
const SELECTORS = new SelectorIndex<readonly [name: string, pods: LabelSelector | undefined]>(
  [
    ['any', { labels: new Map(), expressions: [] }],
    ['web', { labels: new Map([['app', 'web']]), expressions: [] }],
    ['not v2', { labels: new Map(), expressions: [{ key: 'version', operator: 'NotIn', values: ['v2'] }] }],
    ['not for pods', undefined],
  ],
  ([, pods]) => pods,
);

const EXPRESSION_ROWS: readonly (readonly [string, Labels, readonly string[]])[] = [
  ['an empty selector selects all', {}, ['any', 'not v2']],
  ['labels and expressions, in the order in which they were given', { app: 'web' }, ['any', 'web', 'not v2']],
  ['an expression that is not met', { app: 'web', version: 'v2' }, ['any', 'web']],
];

test('which selectors select a workload', t => {
  for (const [sentence, labels, names] of EXPRESSION_ROWS) {
    t.same(
      SELECTORS.select(labels).map(([name]) => name),
      names,
      sentence,
    );
  }
  t.end();
});
