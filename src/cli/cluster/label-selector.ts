import type { JsonObject } from '#shared/config/json.ts';
import { objects, text, textMap, texts } from '../json-fields.ts';

type Labels = Readonly<Record<string, string>>;

/** A `LabelSelector` of the API: every label and every expression must agree; an empty one selects all. */
export function selects(selector: JsonObject, labels: Labels): boolean {
  const wanted = Object.entries(textMap(selector, 'matchLabels'));
  return (
    wanted.every(([key, value]) => labels[key] === value) &&
    objects(selector, 'matchExpressions').every(expression => agrees(expression, labels))
  );
}

function agrees(expression: JsonObject, labels: Labels): boolean {
  const value = labels[text(expression, 'key')];
  const values = texts(expression, 'values');
  switch (text(expression, 'operator')) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
