import { readFileSync } from 'node:fs';
import type { Argument, Command, Option } from 'commander';
import { test } from 'tap';
import { programTree } from '../cli/testing/test-cli.ts';
import { generatedPart, renderTable } from './markdown.ts';

/** docs/cli.md against the commands themselves. `UPDATE_DOCS=1 tap src/docs/cli.test.ts` rewrites its generated part. */
const FILE = 'docs/cli.md';

/** Command → the golden output that is its example. Those of a playground change the machine and have none. */
const EXAMPLES: Readonly<Record<string, string>> = {
  'ztunnel-config workloads': 'workloads',
  'ztunnel-config services': 'services',
  'ztunnel-config policies': 'policies',
  'ztunnel-config certificates': 'certificates',
  'ztunnel-config connections': 'connections',
  stat: 'stat-service',
  'authz check': 'authz-check-denied',
  install: 'install',
  uninstall: 'uninstall',
  check: 'check-broken',
  analyze: 'analyze',
  'describe pod': 'describe-pod',
  'describe service': 'describe-service',
  'describe namespace': 'describe-namespace',
  'proxy-status': 'proxy-status',
  tap: 'tap',
  dashboard: 'dashboard',
  logs: 'logs',
  'waypoint apply': 'waypoint-apply',
  'waypoint generate': 'waypoint-generate',
  'waypoint list': 'waypoint-list',
  'waypoint status': 'waypoint-status',
  'waypoint delete': 'waypoint-delete',
  'namespace add': 'namespace-add',
  'namespace remove': 'namespace-remove',
  'namespace list': 'namespace-list',
  version: 'version',
  names: 'names',
};

interface Leaf {
  /** Without the program's name. */
  readonly path: string;
  readonly command: Command;
}

function leaves(command: Command, path: readonly string[] = []): Leaf[] {
  if (command.commands.length === 0) return [{ path: path.join(' '), command }];
  return command.commands.flatMap(c => leaves(c, [...path, c.name()]));
}

const PROGRAM = programTree();
const LEAVES = leaves(PROGRAM);

function argumentText(argument: Argument): string {
  const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${text}>` : `[${text}]`;
}

function aliasNote(command: Command): string {
  const names = command.aliases();
  return names.length === 0 ? '' : ` Also: \`${names.join('`, `')}\`.`;
}

function optionRow({ flags, description, defaultValue, argChoices }: Option): string[] {
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`;
  const initial: unknown = defaultValue;
  return [
    `\`${flags}\``,
    `${description}${choices}`,
    typeof initial === 'string' || typeof initial === 'number' ? `\`${initial}\`` : '',
  ];
}

function argumentRow(argument: Argument): string[] {
  const initial: unknown = argument.defaultValue;
  return [
    `\`${argumentText(argument)}\``,
    argument.description,
    typeof initial === 'string' ? `\`${initial}\`` : '',
  ];
}

/** Options that many commands have are told once. */
const COMMON_FROM = 5;

function isCommon(row: readonly string[]): boolean {
  const same = (option: Option): boolean => optionRow(option).join() === row.join();
  return LEAVES.filter(leaf => leaf.command.options.some(same)).length >= COMMON_FROM;
}

function commonOptions(): string {
  const rows = LEAVES.flatMap(leaf => leaf.command.options.map(optionRow)).filter(isCommon);
  const unique = new Map(rows.map(row => [row.join(), row]));
  return renderTable(['Common option', 'Meaning', 'Default'], [...unique.values()]);
}

function section({ path, command }: Leaf): string {
  const usage = [
    'ambientctl',
    path,
    ...command.registeredArguments.map(argumentText),
    ...(command.options.length > 0 ? ['[options]'] : []),
  ].join(' ');
  const options = command.options.map(optionRow);
  const rows = [...command.registeredArguments.map(argumentRow), ...options.filter(row => !isCommon(row))];
  const common = options.filter(isCommon).map(([flags = '']) => flags);
  const golden = EXAMPLES[path];
  const example =
    golden === undefined ? [] : ['', code(readFileSync(`src/cli/testdata/${golden}.golden`, 'utf8'))];
  return [
    `### ambientctl ${path}`,
    '',
    `\`${usage}\`: ${command.description()}.${aliasNote(command)}`,
    ...(common.length === 0 ? [] : ['', `Common options: ${common.join(', ')}`]),
    ...(rows.length === 0 ? [] : ['', renderTable(['Argument or option', 'Meaning', 'Default'], rows)]),
    ...example,
  ].join('\n');
}

function code(text: string): string {
  return ['```', text.trimEnd(), '```'].join('\n');
}

test('every command, argument and option is documented as it is', t => {
  const expected = [commonOptions(), ...LEAVES.map(section)].join('\n\n');
  t.equal(generatedPart(FILE, 'commands', expected), expected);
  t.ok(LEAVES.length > 10);
  t.end();
});

test('every command has an example, here or in a section of its own', t => {
  const text = readFileSync(FILE, 'utf8');
  for (const { path } of LEAVES)
    t.match(text, new RegExp(`^\\$ (?:scripts/)?ambientctl ${path}\\b`, 'm'), path);
  t.end();
});
