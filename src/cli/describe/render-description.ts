import { renderTable } from '../render/table.ts';
import { type Description, type Fact, type Hop, inEvaluationOrder, verdictOf } from './description.ts';

export function renderDescription({ title, facts, hops, hopsTitle, warnings }: Description): string {
  const shownHops = hops.map((hop, i) => `\n${i + 1}. ${hop.name}: ${hop.why}\n${indent(hopBody(hop))}`);
  const shownWarnings = warnings.map(warning => `‼ ${warning}\n`);
  return `${title}\n${indent(factLines(facts))}${shownHops.length === 0 ? '' : `\n${hopsTitle}:\n`}${shownHops.join('')}${shownWarnings.length === 0 ? '' : `\n${shownWarnings.join('')}`}`;
}

function hopBody({ facts, policies, routes }: Hop): string {
  return [
    factLines(facts),
    routes === undefined || routes.length === 0
      ? ''
      : renderTable(
          ['ROUTE', 'PORTS', 'BACKENDS', 'STATE'],
          routes.map(r => [r.name, r.ports, r.backends, r.state]),
        ),
    policies === undefined || policies.length === 0
      ? ''
      : renderTable(
          ['POLICY', 'ACTION', 'SCOPE'],
          inEvaluationOrder(policies).map(p => [
            p.name,
            p.action.toUpperCase() + (p.dryRun ? ' (dry run)' : ''),
            p.scope,
          ]),
        ),
    policies === undefined ? '' : `${verdictOf(policies)}\n`,
  ].join('');
}

function factLines(facts: readonly Fact[]): string {
  const width = Math.max(0, ...facts.map(f => f.name.length));
  return facts.map(({ name, value }) => `${`${name}:`.padEnd(width + 2)}${value}\n`).join('');
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '   ');
}
