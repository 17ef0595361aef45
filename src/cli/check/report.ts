import { type CheckResult, hasFatal } from './check.ts';

/** Where hints point to. */
export const DOCS_PAGE = 'docs/debugging.md';

/** Grouped, a line a check; what failed has its problems and where to read on below it. */
export function checkReport(results: readonly CheckResult[]): string {
  const categories = [...new Set(results.map(r => r.category))];
  const groups = categories.map(category => {
    const own = results.filter(r => r.category === category);
    return `${category}\n${'-'.repeat(category.length)}\n${own.map(resultText).join('')}`;
  });
  return `${groups.join('\n')}\n${summary(results)}\n`;
}

function resultText({ description, id, outcome, severity }: CheckResult): string {
  switch (outcome.state) {
    case 'ok':
      return `√ ${description}${outcome.detail === undefined ? '' : ` (${outcome.detail})`}\n`;
    case 'unknown':
      return `? ${description}: not known, ${outcome.reason}\n`;
    case 'failed': {
      const sign = severity === 'fatal' ? '×' : '‼';
      const shown = outcome.problems.slice(0, MAX_SHOWN).map(problem => `    ${problem}\n`);
      const more = outcome.problems.length - MAX_SHOWN;
      const rest = more > 0 ? `    and ${more} more (-o json shows all)\n` : '';
      return `${sign} ${description}\n${shown.join('')}${rest}    see ${DOCS_PAGE}#${id}\n`;
    }
  }
}

const MAX_SHOWN = 10;

function summary(results: readonly CheckResult[]): string {
  const count = (state: string, severity?: string): number =>
    results.filter(r => r.outcome.state === state && (severity ?? r.severity) === r.severity).length;
  const unknown = count('unknown');
  const parts = [
    `${count('failed', 'fatal')} failed`,
    `${count('failed', 'warning')} warnings`,
    ...(unknown > 0 ? [`${unknown} not known`] : []),
  ];
  return `${hasFatal(results) ? '×' : '√'} ${results.length} checks: ${parts.join(', ')}`;
}
