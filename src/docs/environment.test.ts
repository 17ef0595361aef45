import { globSync, readFileSync } from 'node:fs';
import { defaultTrafficThreads } from '#shared/config/traffic-threads.ts';
import { test } from 'tap';
import { EnvReader, type EnvVariable, type Environment } from '#shared/config/env-reader.ts';
import { declareConfig as declareController } from '../controller/config.ts';
import { declareConfig as declareRelease } from '../release/config.ts';
import { declareConfig as declareWaypoint } from '../waypoint/config.ts';
import { declareConfig as declareZtunnel } from '../ztunnel/config.ts';
import { codeOf, generatedPart, parseTables, renderTable } from './markdown.ts';

/** docs/environment.md against what the tiers read. `UPDATE_DOCS=1 tap src/docs/environment.test.ts` rewrites its table. */
const FILE = 'docs/environment.md';

/** Defaults are those of a proxy that has a controller. */
const CONTROLLER: Environment = { XDS_ADDRESS: 'controller:15012' };
const TIERS: Readonly<Record<string, readonly EnvVariable[]>> = {
  ztunnel: declared(declareZtunnel, CONTROLLER),
  waypoint: declared(declareWaypoint, CONTROLLER),
  controller: declared(declareController, {}),
  release: declared(declareRelease, {}),
};

function declared(declare: (env: EnvReader) => void, environment: Environment): readonly EnvVariable[] {
  const env = new EnvReader(environment);
  declare(env);
  return env.declared;
}

/** The default depends on the machine. */
const PER_CORE = new Set(['ZTUNNEL_WORKER_THREADS', 'WORKER_THREADS']);

function defaultOf({ name, defaultText }: EnvVariable): string {
  if (PER_CORE.has(name) && defaultText === String(defaultTrafficThreads())) return 'half of the cores';
  return defaultText === '' ? '' : `\`${defaultText}\``;
}

function accepted({ type }: EnvVariable): string {
  return type.replace(/^integer 0–9007199254740991$/, 'integer from 0').replace(/^string$/, 'text');
}

/** One row for a variable, or several where tiers differ. */
function environmentTable(): string {
  const rows = new Map<string, { readonly tiers: string[]; readonly cells: readonly string[] }>();
  for (const [tier, variables] of Object.entries(TIERS)) {
    for (const variable of variables) {
      const meaning = variable.description.replaceAll('<', '&lt;');
      const cells = [variable.name, accepted(variable), defaultOf(variable), meaning];
      const key = JSON.stringify(cells);
      const row = rows.get(key) ?? { tiers: [], cells };
      row.tiers.push(tier);
      rows.set(key, row);
    }
  }
  const sorted = [...rows.values()].sort((a, b) => ((a.cells[0] ?? '') < (b.cells[0] ?? '') ? -1 : 1));
  return renderTable(
    ['Variable', 'Tiers', 'Accepted', 'Default', 'Meaning'],
    sorted.map(({ tiers, cells: [name = '', ...rest] }) => [`\`${name}\``, tiers.join(', '), ...rest]),
  );
}

test('the table of variables is what the tiers declare', t => {
  const expected = environmentTable();
  t.equal(generatedPart(FILE, 'environment', expected), expected);
  for (const [tier, variables] of Object.entries(TIERS)) t.ok(variables.length > 2, `${tier} declares them`);
  t.end();
});

test('every variable is described', t => {
  for (const [tier, variables] of Object.entries(TIERS))
    for (const { name, description } of variables) t.not(description, '', `${tier}: ${name}`);
  t.end();
});

/** Set by the playground for its own preloaded modules, and by tests for the processes they start: nobody else's. */
const INTERNAL = /^src\/(docs|playground\/loopback|\w+\/testing)\//;
/** Set by the shell, the kubelet, and the container runtime (CNI specification). */
const NOT_OURS = new Set([
  'PATH',
  'HOME',
  'KUBERNETES_SERVICE_HOST',
  'KUBERNETES_SERVICE_PORT',
  'CNI_ARGS',
  'CNI_COMMAND',
  'CNI_NETNS',
]);

/** Variables that code reads without the tiers' EnvReader: scripts, playground, tests. */
function readDirectly(): Set<string> {
  const files = globSync(['src/**/*.ts', 'scripts/**/*.ts', 'e2e/**/*.ts']).filter(f => !INTERNAL.test(f));
  const names = new Set(['UPDATE_DOCS', 'UPDATE_GOLDEN']);
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    for (const match of text.matchAll(/\benv\['([A-Z][A-Z0-9_]+)'\]|'(AMBIENT_[A-Z_]+)'/g))
      names.add(match[1] ?? match[2] ?? '');
  }
  return names.difference(NOT_OURS);
}

test('variables of scripts, playground and tests are documented, and no others', t => {
  const [, ...others] = parseTables(readFileSync(FILE, 'utf8'));
  const documented = others.flatMap(table => table.rows.flatMap(row => codeOf(row[0] ?? '')));
  t.same(documented.sort(), [...readDirectly()].sort());
  t.end();
});
