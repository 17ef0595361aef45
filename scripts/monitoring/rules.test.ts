import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { commandFault } from '../../src/docs/command-fault.ts';
import { knownNames, unknownNames } from './known-names.ts';
import { usedNames } from './promql-names.ts';
import { findProgram, runPromtool } from './promtool.ts';
import { objectsOf, parsedFile, readRules, RULES_FILE } from './rules.ts';

const UNIT_TESTS = 'scripts/monitoring/testdata/rules.test.yaml';
const RUNBOOKS = 'docs/debugging.md';
const promtool = findProgram('promtool');
const skip = promtool === undefined && 'needs promtool on PATH (Debian: prometheus)';
const RULES = readRules();
const ALERTS = RULES.filter(rule => rule.kind === 'alert');

test('promtool finds nothing wrong', { skip }, t => {
  const { ok, output } = runPromtool(promtool ?? '', ['check', 'rules', RULES_FILE]);
  t.ok(ok, output);
  t.match(output, `${RULES.length} rules found`);
  t.end();
});

test('alerts fire where they are to, say what they are to, and are quiet otherwise', { skip }, t => {
  const { ok, output } = runPromtool(promtool ?? '', ['test', 'rules', UNIT_TESTS]);
  t.ok(ok, output);
  t.end();
});

test('every alert is tested where it fires and where it does not', t => {
  const checks = objectsOf(parsedFile(UNIT_TESTS)['tests']).flatMap(one => objectsOf(one['alert_rule_test']));
  for (const { name } of ALERTS) {
    const fires = checks
      .filter(check => check['alertname'] === name)
      .map(c => objectsOf(c['exp_alerts']).length > 0);
    t.ok(fires.includes(true), `${name} fires`);
    t.ok(fires.includes(false), `${name} does not always fire`);
  }
  t.end();
});

test('every rule asks for metrics and labels that processes of the mesh have', async t => {
  const known = new Map(await knownNames());
  for (const { expr, kind, name } of RULES) if (kind === 'record') known.set(name, usedNames(expr).grouping);
  t.same(
    RULES.flatMap(({ expr, name }) => unknownNames(expr, known).map(problem => `${name}: ${problem}`)),
    [],
  );
  t.ok(ALERTS.length >= 20);
});

/** Values of labels are put in when it fires. */
function commandsIn(description: string): string[] {
  const filled = description.replaceAll(/\{\{[^}]*\}\}/g, 'X');
  return Array.from(filled.matchAll(/`(ambientctl [^`]*)`/g), ([, command = '']) => command);
}

test('every alert says what has happened, which command is next, and where more is written', t => {
  const headings = new Set(
    Array.from(readFileSync(RUNBOOKS, 'utf8').matchAll(/^#+ (.*)$/gm), ([, text = '']) => text.toLowerCase()),
  );
  for (const { annotations, labels, name } of ALERTS) {
    const { description = '', runbook_url: runbook, summary = '' } = annotations;
    t.match(name, /^Ambient[A-Z]/);
    t.match(labels['severity'], /^(critical|warning)$/, name);
    t.match(summary, /^[A-Z].{10,90}\.$/, name);
    const commands = commandsIn(description);
    t.not(commands.length, 0, `${name} names a command`);
    t.same(
      commands.flatMap(line => commandFault(line) ?? []),
      [],
      name,
    );
    t.equal(runbook, `${RUNBOOKS}#${name.toLowerCase()}`);
    t.ok(headings.has(name.toLowerCase()), `${RUNBOOKS} has a section ${name}`);
  }
  t.end();
});
