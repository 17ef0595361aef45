import type { JsonObject } from '#shared/config/json.ts';
import {
  LABEL_OPERATORS,
  type LabelExpression,
  type Labels,
  type LabelSelector,
  selectsLabels,
} from '#shared/kube/label-selector.ts';
import { children, text, textMap, texts } from '#shared/config/json-fields.ts';

/** A `LabelSelector` as the API server serves it. One with an operator that we do not know selects nothing. */
export function selects(selector: JsonObject, labels: Labels): boolean {
  const read = readLabelSelector(selector);
  return read !== undefined && selectsLabels(read, labels);
}

function readLabelSelector(selector: JsonObject): LabelSelector | undefined {
  const expressions: LabelExpression[] = [];
  for (const expression of children(selector, 'matchExpressions')) {
    const operator = LABEL_OPERATORS.find(name => name === text(expression, 'operator'));
    if (operator === undefined) return undefined;
    expressions.push({ key: text(expression, 'key'), operator, values: texts(expression, 'values') });
  }
  return { labels: new Map(Object.entries(textMap(selector, 'matchLabels'))), expressions };
}
