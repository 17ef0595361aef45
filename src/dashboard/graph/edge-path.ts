import type { Direction, Point } from './layout.ts';

/** Pure: a smooth line through the points, which leaves and arrives in the direction of calls. */
export function edgePath(points: readonly Point[], direction: Direction): string {
  const [start, ...rest] = points;
  if (start === undefined) return '';
  let path = `M${at(start)}`;
  let last = start;
  for (const next of rest) {
    const [first, second] = controls(last, next, direction);
    path += `C${at(first)} ${at(second)} ${at(next)}`;
    last = next;
  }
  return path;
}

function controls(a: Point, b: Point, direction: Direction): readonly [Point, Point] {
  if (direction === 'right') {
    const middle = (a.x + b.x) / 2;
    return [
      { x: middle, y: a.y },
      { x: middle, y: b.y },
    ];
  }
  const middle = (a.y + b.y) / 2;
  return [
    { x: a.x, y: middle },
    { x: b.x, y: middle },
  ];
}

function at({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}

/** Where a label stands: the middle of the stretch in the middle. */
export function labelPoint(points: readonly Point[]): Point {
  const i = Math.floor((points.length - 1) / 2);
  const [a, b] = [points[i], points[i + 1]];
  if (a === undefined || b === undefined) return a ?? { x: 0, y: 0 };
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
