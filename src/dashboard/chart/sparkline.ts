/** A line of figures over time, in the coordinates of its picture. */
export interface Sparkline {
  /** Of an SVG path, for each stretch that is known. */
  readonly line: string;
  /** The same, down to the ground. */
  readonly area: string;
  /** Of the top of the picture. */
  readonly max: number;
}

export interface SparklineSize {
  readonly width: number;
  readonly height: number;
  /** The top is not below it: of success rates 1. */
  readonly atLeast?: number;
}

/** Pure. The last figure is at the right edge; null leaves a gap. */
export function sparkline(values: readonly (number | null)[], size: SparklineSize): Sparkline {
  const known = values.filter(v => v !== null);
  const max = Math.max(size.atLeast ?? 0, ...known);
  const step = values.length > 1 ? size.width / (values.length - 1) : 0;
  const x = (i: number): number => round(values.length > 1 ? i * step : size.width);
  // A line of the whole height would be cut at half of its width.
  const y = (v: number): number => round(1 + (size.height - 2) * (1 - (max > 0 ? v / max : 0)));
  const stretches = stretchesOf(values);
  const lineOf = (stretch: readonly Point[]): string =>
    stretch.map(({ i, v }, n) => `${n === 0 ? 'M' : 'L'}${x(i)} ${y(v)}`).join('');
  const areaOf = (stretch: readonly Point[]): string => {
    const [first, last] = [stretch[0], stretch.at(-1)];
    if (first === undefined || last === undefined) return '';
    return `${lineOf(stretch)}L${x(last.i)} ${size.height}L${x(first.i)} ${size.height}Z`;
  };
  return {
    line: stretches.map(lineOf).join(''),
    area: stretches.map(areaOf).join(''),
    max,
  };
}

interface Point {
  readonly i: number;
  readonly v: number;
}

function stretchesOf(values: readonly (number | null)[]): Point[][] {
  const stretches: Point[][] = [];
  let open: Point[] | undefined;
  for (const [i, v] of values.entries()) {
    if (v === null) {
      open = undefined;
      continue;
    }
    if (open === undefined) stretches.push((open = []));
    open.push({ i, v });
  }
  return stretches;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
