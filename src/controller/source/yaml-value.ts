import { parse } from 'yaml';

/** A text of YAML as a value, for configuration that objects hold as text. @throws Error when it is none. */
export function parseYaml(text: string): unknown {
  const value: unknown = parse(text, { maxAliasCount: 100 });
  return value;
}
