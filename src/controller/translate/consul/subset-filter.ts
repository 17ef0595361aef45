const TERM = /^Service\.Meta\.([\w./-]+)\s*==\s*(?:"([^"]*)"|`([^`]*)`|([\w.-]+))$/;
const TERM_BY_KEY = /^Service\.Meta\["([^"]+)"\]\s*==\s*(?:"([^"]*)"|`([^`]*)`|([\w.-]+))$/;

/**
 * What a subset's filter asks for: equalities of `Service.Meta` joined by `and`. What Consul calls a service's metadata is
 * what a pod says by annotations `consul.hashicorp.com/service-meta-…`, and else by labels.
 *
 * @returns why it is not one, in words.
 */
export function parseSubsetFilter(filter: string): ReadonlyMap<string, string> | string {
  const labels = new Map<string, string>();
  if (filter.trim() === '') return labels;
  for (const term of filter.trim().split(/\s+and\s+/)) {
    const match = TERM.exec(term) ?? TERM_BY_KEY.exec(term);
    if (match === null) return `holds "${term}", which is no equality of Service.Meta`;
    const [, name = '', quoted, raw, plain] = match;
    const value = quoted ?? raw ?? plain ?? '';
    if (labels.has(name) && labels.get(name) !== value) return `wants two values of ${name}`;
    labels.set(name, value);
  }
  return labels;
}
