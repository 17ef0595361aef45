import { LABEL_OPERATORS, type LabelExpression, type LabelSelector } from '#shared/kube/label-selector.ts';
import type { Fields } from './decode.ts';

/** Of an object whose author is told what is wrong with it. */
export function readLabelSelector(fields: Fields): LabelSelector {
  return {
    labels: fields.stringMap('matchLabels'),
    expressions: fields.objects('matchExpressions', readExpression),
  };
}

function readExpression(fields: Fields): LabelExpression {
  const key = fields.requiredString('key');
  const operator = fields.oneOf('operator', LABEL_OPERATORS);
  if (operator === undefined) fields.requiredString('operator');
  const values = fields.strings('values');
  const needsValues = operator === 'In' || operator === 'NotIn';
  if (needsValues && values.length === 0)
    fields.reject('values', `is required with ${operator}`, 'name the values');
  if (!needsValues && values.length > 0)
    fields.reject('values', 'has a meaning with In and NotIn only', 'remove it');
  // Stands in where the object is rejected anyway.
  return { key, operator: operator ?? 'Exists', values };
}
