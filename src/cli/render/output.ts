import { stringify } from 'yaml';
import { renderTable } from './table.ts';

export const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export interface Report {
  /** Lines above the table. */
  readonly preamble?: readonly string[];
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What `-o json` and `-o yaml` print: everything that is known, not only the columns. */
  readonly data: unknown;
  /** Printed instead of a table without rows. */
  readonly empty: string;
}

export function render(report: Report, format: OutputFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(report.data, null, 2)}\n`;
    case 'yaml':
      return stringify(report.data);
    case 'table':
      return (
        preambleText(report) +
        (report.rows.length === 0 ? `${report.empty}\n` : renderTable(report.header, report.rows))
      );
  }
}

function preambleText(report: Report): string {
  const lines = report.preamble ?? [];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n\n`;
}
