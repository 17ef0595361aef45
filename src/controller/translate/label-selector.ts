import type { Fields } from './decode.ts';

export type Labels = Readonly<Record<string, string>>;

/** Of Kubernetes: every label and every expression must agree; an empty one selects all. */
export interface LabelSelector {
  readonly labels: ReadonlyMap<string, string>;
  readonly expressions: readonly LabelExpression[];
}

export interface LabelExpression {
  readonly key: string;
  readonly operator: (typeof OPERATORS)[number];
  readonly values: readonly string[];
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

export function readLabelSelector(fields: Fields): LabelSelector {
  return {
    labels: fields.stringMap('matchLabels'),
    expressions: fields.objects('matchExpressions', readExpression),
  };
}

function readExpression(fields: Fields): LabelExpression {
  const key = fields.requiredString('key');
  const operator = fields.oneOf('operator', OPERATORS);
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

export function selectsLabels({ expressions, labels: wanted }: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of wanted) if (labels[key] !== value) return false;
  return expressions.every(expression => agrees(expression, labels));
}

function agrees({ key, operator, values }: LabelExpression, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
