import fc from 'fast-check';
import { test } from 'tap';
import { parseJson } from '#shared/config/json.ts';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { chained, type ConflistChange, PLUGIN_TYPE, type PluginEntry, unchained } from './conflist.ts';

const ENTRY: PluginEntry = { type: PLUGIN_TYPE, socket: '/run/cni.sock' };
const BRIDGE = { type: 'bridge', bridge: 'cni0', ipam: { type: 'host-local' } };
const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };
const LIST = { cniVersion: '1.0.0', name: 'kube', plugins: [BRIDGE, PORTMAP], disableCheck: true };

function textOf(change: ConflistChange): string {
  return change.kind === 'changed' ? change.text : change.kind;
}

test('the plugin comes last, and everything else stays as it was', async t => {
  const change = chained(JSON.stringify(LIST), ENTRY);
  t.same(parseJson(textOf(change)), { ...LIST, plugins: [BRIDGE, PORTMAP, ENTRY] });
  t.same(chained(textOf(change), ENTRY), { kind: 'unchanged' }, 'once is enough');
  t.same(parseJson(textOf(unchained(textOf(change)))), LIST, 'and it is taken out again');
  t.same(unchained(JSON.stringify(LIST)), { kind: 'unchanged' });
});

test('an entry of an earlier release is replaced', async t => {
  const old = { type: PLUGIN_TYPE, socket: '/old' };
  const change = chained(JSON.stringify({ ...LIST, plugins: [BRIDGE, old, PORTMAP] }), ENTRY);
  t.same(parseJson(textOf(change)), { ...LIST, plugins: [BRIDGE, PORTMAP, ENTRY] });
});

test('what cannot hold a chain is left alone, with the reason', async t => {
  for (const [sentence, text, reason] of [
    ['a single plugin', JSON.stringify(BRIDGE), 'a single plugin cannot be chained to, use a .conflist'],
    ['a file that is half written', '{"plugins": [', 'it is not JSON'],
    ['a list of JSON', '[]', 'it is not a JSON object'],
    ['no network', '{"plugins":[]}', 'it has no plugin that makes the network'],
    ['ours alone', JSON.stringify({ plugins: [ENTRY] }), 'it has no plugin that makes the network'],
  ] as const) {
    const change = chained(text, ENTRY);
    t.equal(change.kind, 'unusable', sentence);
    t.match(change, { reason: new RegExp(reason) }, sentence);
  }
});

test('any list is chained once, and is itself again without us', t => {
  const plugin = fc.record({ type: fc.constantFrom('a', 'b', PLUGIN_TYPE), more: fc.jsonValue() });
  const list = fc.record({ name: fc.string(), plugins: fc.array(fc.oneof(plugin, fc.jsonValue())) });
  fc.assert(
    fc.property(
      fc.oneof(
        list.map(value => JSON.stringify(value)),
        fc.json(),
        fc.string(),
      ),
      text => {
        const change = chained(text, ENTRY);
        if (change.kind !== 'changed') return true;
        const again = chained(change.text, ENTRY).kind === 'unchanged';
        const others = JSON.stringify(parseJson(textOf(unchained(change.text))));
        return again && !others.includes(`"type":"${PLUGIN_TYPE}","socket"`);
      },
    ),
    fuzzRun(1),
  );
  t.end();
});
