/** One line of a panel. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A small plot; x is logarithmic, with a tick at each value that was measured. y begins at 0. */
export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
}

export interface Figure {
  readonly title: string;
  readonly columns: number;
  readonly panels: readonly Panel[];
}

const PANEL = { width: 300, height: 210 };
const MARGIN = { left: 52, right: 16, top: 34, bottom: 44 };
const HEADER = 58;
const PADDING = 12;
const Y_TICKS = 4;

/** Colours with enough contrast on both grounds; which ground it is the reader's own setting says. */
const STYLE = `
  .ground { fill: #ffffff } .axis, .grid { stroke: #d0d7de; stroke-width: 1 } .axis { stroke: #8c959f }
  text { font: 11px system-ui, sans-serif; fill: #57606a } .title { font-size: 15px; font-weight: 600; fill: #1f2328 }
  .panel { font-size: 12px; font-weight: 600; fill: #1f2328 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round } .s0 { stroke: #0969da } .s1 { stroke: #bc4c00 }
  .dot { stroke: none } .d0 { fill: #0969da } .d1 { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .grid { stroke: #30363d } .axis { stroke: #6e7681 } text { fill: #9198a1 }
    .title, .panel { fill: #f0f6fc } .s0 { stroke: #4493f8 } .s1 { stroke: #f0883e } .d0 { fill: #4493f8 } .d1 { fill: #f0883e }
  }`;

/** As SVG that stands alone and reads in light and dark. Pure. */
export function renderFigure({ title, columns, panels }: Figure): string {
  const rows = Math.ceil(panels.length / columns);
  const width = columns * PANEL.width + 2 * PADDING;
  const height = HEADER + rows * PANEL.height + PADDING;
  const names = [...new Set(panels.flatMap(panel => panel.series.map(series => series.name)))];
  const parts = panels.map((panel, i) => {
    const x = PADDING + (i % columns) * PANEL.width;
    const y = HEADER + Math.floor(i / columns) * PANEL.height;
    return `<g transform="translate(${x} ${y})">${renderPanel(panel, names)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="title" x="${PADDING + 6}" y="24">${escape(title)}</text>`,
    ...names.map((name, i) => legend(name, i)),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function legend(name: string, index: number): string {
  const x = PADDING + 6 + index * 90;
  const line = `<line class="line s${index % 2}" x1="${x}" x2="${x + 18}" y1="41" y2="41"/>`;
  return `${line}<text x="${x + 24}" y="45">${escape(name)}</text>`;
}

function renderPanel({ title, xLabel, series }: Panel, names: readonly string[]): string {
  const xs = [...new Set(series.flatMap(s => s.points.map(p => p.x)))].sort((a, b) => a - b);
  const top = niceCeiling(Math.max(0, ...series.flatMap(s => s.points.map(p => p.y))));
  const scale = scaleOf(xs, top);
  const { left, right, bottom } = edges();
  const grid = Array.from({ length: Y_TICKS + 1 }, (_, i) => {
    const value = (top / Y_TICKS) * i;
    const y = scale.y(value);
    const line = `<line class="${i === 0 ? 'axis' : 'grid'}" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/>`;
    return `${line}<text x="${left - 6}" y="${y + 4}" text-anchor="end">${shortNumber(value)}</text>`;
  });
  const ticks = xs.map(
    x => `<text x="${scale.x(x)}" y="${bottom + 16}" text-anchor="middle">${x.toLocaleString('en')}</text>`,
  );
  const middle = (left + right) / 2;
  return [
    `<text class="panel" x="${left}" y="18">${escape(title)}</text>`,
    ...grid,
    ...ticks,
    `<text x="${middle}" y="${bottom + 32}" text-anchor="middle">${escape(xLabel)}</text>`,
    ...series.map(s => renderSeries(s, names.indexOf(s.name) % 2, scale)),
  ].join('');
}

interface Scale {
  x(value: number): number;
  y(value: number): number;
}

function edges(): { left: number; right: number; top: number; bottom: number } {
  return {
    left: MARGIN.left,
    right: PANEL.width - MARGIN.right,
    top: MARGIN.top,
    bottom: PANEL.height - MARGIN.bottom,
  };
}

function scaleOf(xs: readonly number[], yTop: number): Scale {
  const { left, right, top, bottom } = edges();
  const inset = 14;
  const [first = 1, last = 1] = [xs[0], xs.at(-1)];
  const span = Math.log(last / first) || 1;
  return {
    x: value => round(left + inset + (Math.log(value / first) / span) * (right - left - 2 * inset)),
    y: value => round(bottom - (value / yTop) * (bottom - top)),
  };
}

function renderSeries({ points }: Series, color: number, scale: Scale): string {
  const path = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${scale.x(x)} ${scale.y(y)}`).join('');
  const dots = points.map(
    ({ x, y }) => `<circle class="dot d${color}" cx="${scale.x(x)}" cy="${scale.y(y)}" r="3"/>`,
  );
  return `<path class="line s${color}" d="${path}"/>${dots.join('')}`;
}

/** The next number of the form 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(f => f * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

export function shortNumber(value: number): string {
  if (value >= 1000) return `${Number((value / 1000).toFixed(2))}k`;
  return String(Number(value.toFixed(2)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
