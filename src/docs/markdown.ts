import { readFileSync, writeFileSync } from 'node:fs';

/** A table of a Markdown file: cells as written, without the blanks around them. */
export interface MarkdownTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const SEPARATOR_ROW = /^\|(?:\s*:?-+:?\s*\|)+$/;

/** Every table of the text, in order. A `\|` is a pipe inside a cell. */
export function parseTables(markdown: string): MarkdownTable[] {
  const lines = markdown.split('\n');
  const tables: MarkdownTable[] = [];
  for (const [i, line] of lines.entries()) {
    if (!SEPARATOR_ROW.test(line)) continue;
    const end = lines.findIndex((l, j) => j > i && !l.startsWith('|'));
    const rows = lines.slice(i + 1, end < 0 ? lines.length : end);
    tables.push({ header: cellsOf(lines[i - 1] ?? ''), rows: rows.map(cellsOf) });
  }
  return tables;
}

function cellsOf(line: string): string[] {
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inner.split(/(?<!\\)\|/).map(cell => cell.trim().replaceAll('\\|', '|'));
}

export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(c => c.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What is written as code in a cell: `a`, `b` → a, b. */
export function codeOf(cell: string): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), match => match[1] ?? '');
}

/**
 * The part of a file between `<!-- generated: NAME -->` and `<!-- end -->`. With `UPDATE_DOCS` set it is replaced by
 * `expected` first. @throws Error when the file has no such part.
 */
export function generatedPart(file: string, name: string, expected: string): string {
  const text = readFileSync(file, 'utf8');
  const begin = `<!-- generated: ${name} -->\n`;
  const from = text.indexOf(begin);
  const to = text.indexOf('\n<!-- end -->', from);
  if (from < 0 || to < 0) throw new Error(`${file} has no part "${begin.trim()}" … "<!-- end -->"`);
  if (process.env['UPDATE_DOCS'] !== undefined) {
    writeFileSync(file, `${text.slice(0, from)}${begin}${expected}${text.slice(to)}`);
    return expected;
  }
  return text.slice(from + begin.length, to);
}
