export type Labels = Readonly<Record<string, string>>;

/** Of Kubernetes: every label and every expression must agree; an empty one selects all. */
export interface LabelSelector {
  readonly labels: ReadonlyMap<string, string>;
  readonly expressions: readonly LabelExpression[];
}

export interface LabelExpression {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type LabelOperator = (typeof LABEL_OPERATORS)[number];

export const LABEL_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

export function selectsLabels({ expressions, labels: wanted }: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of wanted) if (valueOf(labels, key) !== value) return false;
  return expressions.every(expression => agrees(expression, labels));
}

function agrees({ key, operator, values }: LabelExpression, labels: Labels): boolean {
  const value = valueOf(labels, key);
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

function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
