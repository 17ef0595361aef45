import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import type { ProviderKind } from './provider.ts';
import { translateTelemetry } from './telemetry.ts';

const KNOWN = new Map<string, ProviderKind>([
  ['envoy', 'access log'],
  ['prometheus', 'metrics'],
  ['otel', 'tracing'],
]);
const OPTIONS = { rootNamespace: 'istio-system', providers: (name: string) => KNOWN.get(name) };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateTelemetry(object, OPTIONS)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const logging = (fields: object): object => ({ accessLogging: [fields] });
const tracing = (fields: object): object => ({ tracing: [fields] });
const tag = (fields: object): object => tracing({ customTags: { a: fields } });
const metrics = (fields: object): object => ({ metrics: [fields] });
const override = (fields: object): object => metrics({ overrides: [fields] });
const label = (fields: object): object => override({ tagOverrides: { source_app: fields } });
const OVERRIDE = 'spec.metrics[0].overrides[0]';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', { logging: [] }, 'spec.logging', /no field of this object/],
  [
    'a selector with targetRefs',
    { selector: { matchLabels: { a: 'b' } }, targetRefs: [{ group: '', kind: 'Service', name: 'a' }] },
    'spec.selector',
    /together with targetRefs/,
  ],
  [
    'a log that is sent somewhere',
    logging({ providers: [{ name: 'otel' }] }),
    'spec.accessLogging[0].providers[0].name',
    /no provider of access logs/,
  ],
  [
    'a filter of what the log does not know',
    logging({ filter: { expression: 'xds.cluster_name == "a"' } }),
    'spec.accessLogging[0].filter.expression',
    /no expression this mesh takes: "xds.cluster_name" is no attribute that the log knows \(at character 0 /,
  ],
  [
    'a filter that is malformed',
    logging({ filter: { expression: 'response.code >=' } }),
    'spec.accessLogging[0].filter.expression',
    /it ends where .* should be \(at character 16 of the expression\)/,
  ],
  [
    'a misspelt field of a filter',
    logging({ filter: { expresion: 'response.code >= 400' } }),
    'spec.accessLogging[0].filter.expresion',
    /no field of this object/,
  ],
  ['an unknown mode', logging({ match: { mode: 'BOTH' } }), 'spec.accessLogging[0].match.mode', /not one of/],
  [
    'traces to a provider that is none',
    tracing({ providers: [{ name: 'zipkin' }] }),
    'spec.tracing[0].providers[0].name',
    /no provider of traces/,
  ],
  [
    'more than every trace',
    tracing({ randomSamplingPercentage: 101 }),
    'spec.tracing[0].randomSamplingPercentage',
    /from 0 to 100/,
  ],
  [
    'tags of the mesh switched off',
    tracing({ enableIstioTags: false }),
    'spec.tracing[0].enableIstioTags',
    /not supported/,
  ],
  [
    'a tag of the environment',
    tag({ environment: { name: 'A' } }),
    'spec.tracing[0].customTags.a.environment',
    /not supported/,
  ],
  ['a tag without a value', tag({}), 'spec.tracing[0].customTags.a.literal', /only one of them/],
  [
    'a tag of two values',
    tag({ literal: { value: 'a' }, header: { name: 'b' } }),
    'spec.tracing[0].customTags.a.literal',
    /only one of them/,
  ],
  [
    'a tag of a header that is none',
    tag({ header: { name: 'a b' } }),
    'spec.tracing[0].customTags.a.header.name',
    /no header name/,
  ],
  [
    'too many tags',
    tracing({
      customTags: Object.fromEntries(
        Array.from({ length: 33 }, (_, i) => [`t${i}`, { literal: { value: 'a' } }]),
      ),
    }),
    'spec.tracing[0].customTags.t32',
    /more than 32/,
  ],
  [
    'metrics to a provider that is none',
    metrics({ providers: [{ name: 'stackdriver' }] }),
    'spec.metrics[0].providers[0].name',
    /no provider of metrics/,
  ],
  [
    'a metric of somebody else',
    override({ match: { customMetric: 'a' } }),
    `${OVERRIDE}.match.customMetric`,
    /not supported/,
  ],
  [
    'an unknown metric',
    override({ match: { metric: 'REQUESTS' } }),
    `${OVERRIDE}.match.metric`,
    /not one of/,
  ],
  ['a label of no value', label({}), `${OVERRIDE}.tagOverrides.source_app.value`, /is required/],
  [
    'an unknown operation',
    label({ operation: 'ADD' }),
    `${OVERRIDE}.tagOverrides.source_app.operation`,
    /not one of/,
  ],
];

test('a wrong Telemetry is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateTelemetry(kubeObject('Telemetry', spec), OPTIONS);
    t.equal(result.ok, false, name);
    t.match(
      result.diagnostics.find(d => d.field === field),
      { message, fix: /./, severity: 'rejected' },
      name,
    );
  }
});

const IGNORED: readonly [string, object, string, RegExp][] = [
  [
    'metrics that are sent',
    metrics({ reportingInterval: '5s' }),
    'spec.metrics[0].reportingInterval',
    /not supported and has no effect/,
  ],
  [
    'a label that is new',
    override({ tagOverrides: { mine: { value: "'a'" } } }),
    `${OVERRIDE}.tagOverrides.mine`,
    /none can be added/,
  ],
  [
    'an expression for a label',
    label({ value: 'request.host' }),
    `${OVERRIDE}.tagOverrides.source_app.value`,
    /expressions are not supported/,
  ],
  [
    'what is for clients alone',
    logging({ match: { mode: 'CLIENT' } }),
    'spec.accessLogging[0].match.mode',
    /before servers/,
  ],
  [
    'sampling by the id of a request',
    tracing({ useRequestIdForTraceSampling: true }),
    'spec.tracing[0].useRequestIdForTraceSampling',
    /no effect/,
  ],
  [
    'metrics of connections',
    override({ match: { metric: 'TCP_SENT_BYTES' }, disabled: true }),
    `${OVERRIDE}.match.metric`,
    /stay as they are/,
  ],
];

test('what has no effect is said', async t => {
  for (const [name, spec, field, message] of IGNORED) {
    const result = translateTelemetry(kubeObject('Telemetry', spec), OPTIONS);
    t.equal(result.ok, true, name);
    t.match(result.diagnostics[0], { field, message, severity: 'ignored' }, name);
  }
});

test('a label that cannot be as it is asked for stays as it is, and the rest is used', async t => {
  const tagOverrides = {
    mine: { value: "'a'" },
    source_app: { value: 'request.host' },
    destination_app: { value: "'shop'" },
  };
  const spec = { ...override({ tagOverrides, disabled: true }), accessLogging: [{ disabled: true }] };
  const result = translateTelemetry(kubeObject('Telemetry', spec), OPTIONS);
  t.equal(result.ok, true);
  if (!result.ok) return;
  t.same(
    result.diagnostics.map(({ field }) => field.split('.').slice(-2)),
    [
      ['tagOverrides', 'mine'],
      ['source_app', 'value'],
    ],
  );
  t.match(JSON.stringify(result.value), /"labels":\[\{"name":"destination_app","value":"shop"\}\]/);
});
