import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';
import { errorMessage } from '#shared/observability/error-message.ts';

/** Name of the plugin's executable, and so its `type` in a configuration. */
export const PLUGIN_TYPE = 'ambient-cni';

/** The plugin's own entry in the list; what it needs to know on the node. */
export type PluginEntry = JsonObject & { readonly type: typeof PLUGIN_TYPE };

export type ConflistChange =
  /** The text to write. */
  | { readonly kind: 'changed'; readonly text: string }
  | { readonly kind: 'unchanged' }
  /** Nothing is to be written: why the file cannot hold a chain. */
  | { readonly kind: 'unusable'; readonly reason: string };

/**
 * The network configuration list with our plugin at its end, once, and everything else as it was. Pure; the same again
 * when it is applied to its own result. CNI specification, section 1
 */
export function chained(text: string, entry: PluginEntry): ConflistChange {
  const read = readConflist(text);
  if (!read.ok) return { kind: 'unusable', reason: read.reason };
  const others = read.plugins.filter(plugin => !isOurs(plugin));
  if (others.length === 0) return { kind: 'unusable', reason: 'it has no plugin that makes the network' };
  return changeOf(read.list, read.plugins, [...others, entry]);
}

/** The same list without our plugin. */
export function unchained(text: string): ConflistChange {
  const read = readConflist(text);
  if (!read.ok) return { kind: 'unusable', reason: read.reason };
  return changeOf(
    read.list,
    read.plugins,
    read.plugins.filter(plugin => !isOurs(plugin)),
  );
}

type ConflistRead =
  | { readonly ok: true; readonly list: JsonObject; readonly plugins: readonly unknown[] }
  | { readonly ok: false; readonly reason: string };

function readConflist(text: string): ConflistRead {
  let list: unknown;
  try {
    list = parseJson(text);
  } catch (cause) {
    return { ok: false, reason: `it is not JSON: ${errorMessage(cause)}` };
  }
  if (!isJsonObject(list)) return { ok: false, reason: 'it is not a JSON object' };
  const plugins = list['plugins'];
  if (!Array.isArray(plugins)) {
    return {
      ok: false,
      reason: 'it has no list "plugins": a single plugin cannot be chained to, use a .conflist',
    };
  }
  return { ok: true, list, plugins };
}

function changeOf(list: JsonObject, before: readonly unknown[], after: readonly unknown[]): ConflistChange {
  if (JSON.stringify(before) === JSON.stringify(after)) return { kind: 'unchanged' };
  return { kind: 'changed', text: `${JSON.stringify({ ...list, plugins: after }, undefined, 2)}\n` };
}

function isOurs(plugin: unknown): boolean {
  return isJsonObject(plugin) && plugin['type'] === PLUGIN_TYPE;
}
