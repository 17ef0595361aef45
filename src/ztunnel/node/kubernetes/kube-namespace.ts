import type { JsonObject } from '#shared/config/json.ts';
import { DATAPLANE_MODE_LABEL } from '#shared/capture/wants-mesh.ts';
import { objectMeta } from '#shared/capture/kube-object.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { ParsedObject } from './watched-set.ts';

/** The one label that decides; the others of thousands of namespaces need not be kept on every node. */
export type NamespaceLabels = Readonly<Record<string, string>>;

export function parseKubeNamespace(object: JsonObject): ParsedObject<NamespaceLabels> {
  try {
    const mode = objectMeta(object).labels[DATAPLANE_MODE_LABEL];
    return { ok: true, value: mode === undefined ? {} : { [DATAPLANE_MODE_LABEL]: mode } };
  } catch (cause) {
    return { ok: false, error: errorMessage(cause) };
  }
}
