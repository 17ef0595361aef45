import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { isJsonObject, type JsonObject } from '../../src/shared/config/json.ts';

export const RULES_FILE = 'charts/ambient/rules/ambient-mesh.yaml';

export interface Rule {
  /** Of a recording rule, the name of its series; of an alert its name. */
  readonly kind: 'record' | 'alert';
  readonly name: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What the file holds. @throws Error for what is no file of rules */
export function readRules(): readonly Rule[] {
  return objectsOf(parsedFile(RULES_FILE)['groups']).flatMap(group => objectsOf(group['rules']).map(toRule));
}

function toRule(rule: JsonObject): Rule {
  const { alert, annotations, expr, labels, record } = rule;
  const name = alert ?? record;
  if (typeof name !== 'string' || typeof expr !== 'string')
    throw new Error(`${RULES_FILE}: ${JSON.stringify(rule)} is no rule`);
  const kind = alert === undefined ? 'record' : 'alert';
  return { kind, name, expr, labels: texts(labels), annotations: texts(annotations) };
}

/** A file of YAML that is an object. */
export function parsedFile(file: string): JsonObject {
  const value: unknown = parse(readFileSync(file, 'utf8'));
  if (!isJsonObject(value)) throw new Error(`${file} is no object`);
  return value;
}

export function objectsOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function texts(value: unknown): Record<string, string> {
  const entries = isJsonObject(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    entries.flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : [])),
  );
}
