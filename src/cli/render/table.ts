import { singleLine } from '../single-line.ts';

/** Columns as wide as their widest cell, three spaces apart, as the tools of the field print them. */
export function renderTable(header: readonly string[], given: readonly (readonly string[])[]): string {
  // A cell with a line end would be a row that nobody wrote.
  const rows = given.map(row => row.map(cell => singleLine(cell)));
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map(row => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `${cells
      .map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('   ')
      .trimEnd()}\n`;
  return line(header) + rows.map(line).join('');
}
