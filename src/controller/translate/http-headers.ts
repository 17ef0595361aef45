import type { HeaderChange, HeaderValue } from '#shared/route/route-filter.ts';
import type { Fields } from './decode.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Fields that say where a message ends or which connection it is on; changing them breaks or splits messages. */
const OWNED_BY_PROXY: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Checks the name of a header to match on and puts it in lower case. */
export function headerName(fields: Fields, key: string, name: string): string {
  if (!TOKEN.test(name)) {
    fields.reject(key, `"${name}" is no header name`, 'use letters, digits and -, as in x-user');
  }
  return name.toLowerCase();
}

/** Checks the headers a filter changes. `host` is left to the caller: it is no field of a message here. */
export function headerChange(
  fields: Fields,
  key: string,
  change: { set: readonly HeaderValue[]; add: readonly HeaderValue[]; remove: readonly string[] },
): HeaderChange {
  const changed = (name: string): string => {
    const lower = headerName(fields, key, name);
    if (OWNED_BY_PROXY.has(lower)) {
      fields.reject(key, `"${name}" belongs to the proxy and cannot be changed`, 'remove it from the filter');
    }
    return lower;
  };
  const withValue = ({ name, value }: HeaderValue): HeaderValue => {
    if (!FIELD_VALUE.test(value)) {
      fields.reject(key, `the value of "${name}" holds control characters`, 'use printable characters');
    }
    return { name: changed(name), value };
  };
  return {
    set: change.set.map(withValue),
    add: change.add.map(withValue),
    remove: change.remove.map(changed),
  };
}

/** `%REQ(:authority)%`: what Envoy puts a value in for, and so Istio and Consul do. */
const OPERATOR = /%[A-Z][A-Z0-9_]*(\([^()]*\))?(:\d+)?%/;

/** `{set, add, remove}`, the first two by name: as Istio and Consul write it. */
export function readHeaderMaps(fields: Fields): HeaderChange {
  const pairs = (key: string) => {
    const read = [...fields.stringMap(key)].map(([name, value]) => ({ name, value }));
    for (const { name, value } of read) sayOfOperator(fields, key, name, value);
    return read;
  };
  return headerChange(fields, 'set', {
    set: pairs('set'),
    add: pairs('add'),
    remove: fields.strings('remove'),
  });
}

function sayOfOperator(fields: Fields, key: string, name: string, value: string): void {
  const [operator] = OPERATOR.exec(value) ?? [];
  if (operator === undefined) return;
  const message = `the value of "${name}" is sent as it is written: ${operator} is Envoy's, and nobody here puts a value in for it`;
  fields.ignore(key, message, 'write the value itself, or let the application find it out');
}
