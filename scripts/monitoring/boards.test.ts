import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { isJsonObject, type JsonObject, parseJson } from '../../src/shared/config/json.ts';
import type { Board } from './board.ts';
import { BOARDS, DIRECTORY } from './boards.ts';
import { toGrafana } from './grafana.ts';
import { knownNames, unknownNames } from './known-names.ts';
import { findProgram, runPromtool } from './promtool.ts';

/** `UPDATE_GOLDENS=1` writes the boards of the chart anew. */
const UPDATE = process.env['UPDATE_GOLDENS'] !== undefined;
const promtool = findProgram('promtool');
const skip = promtool === undefined && 'needs promtool on PATH (Debian: prometheus)';

function fileOf(board: Board): string {
  return join(DIRECTORY, `${board.uid}.json`);
}

function textOf(board: Board): string {
  return `${JSON.stringify(toGrafana(board), undefined, 2)}\n`;
}

interface Asked {
  readonly board: string;
  readonly panel: string;
  readonly expr: string;
}

const ASKED: readonly Asked[] = BOARDS.flatMap(({ rows, uid }) =>
  rows.flatMap(({ panels }) =>
    panels.flatMap(({ queries, title }) => queries.map(({ expr }) => ({ board: uid, panel: title, expr }))),
  ),
);

/** As Grafana would with everything chosen. */
function withVariables(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*');
}

test('the boards of the chart are those of scripts/monitoring', t => {
  if (UPDATE) {
    mkdirSync(DIRECTORY, { recursive: true });
    for (const board of BOARDS) writeFileSync(fileOf(board), textOf(board));
  }
  for (const board of BOARDS) {
    const file = fileOf(board);
    if (t.ok(existsSync(file), file)) t.equal(readFileSync(file, 'utf8'), textOf(board), file);
  }
  t.same(globSync(`${DIRECTORY}/*`).sort(), BOARDS.map(fileOf).sort(), 'and no others');
  t.end();
});

test('every query asks for metrics and labels that processes of the mesh have', async t => {
  const known = await knownNames();
  const wrong = ASKED.flatMap(({ board, expr, panel }) =>
    unknownNames(withVariables(expr), known).map(problem => `${board}, ${panel}: ${problem}`),
  );
  t.same(wrong, []);
  for (const { uid, variables } of BOARDS) {
    for (const variable of variables) {
      if (variable.kind !== 'query') continue;
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(variable.query) ?? [];
      const named = /__name__=~"([^"]*)"/.exec(selector)?.[1]?.split('|') ?? [];
      const rest = selector.replace(/__name__=~"[^"]*",? ?/, '');
      const selectors = named.length === 0 ? [selector] : named.map(name => `${name}${rest}`);
      for (const one of selectors)
        t.same(unknownNames(`sum by (${label}) (${one})`, known), [], `${uid}, ${variable.name}: ${one}`);
    }
  }
});

test('names that nobody has are found', async t => {
  const known = await knownNames();
  t.same(
    unknownNames('sum by (le, tag) (rate(istio_requests_total{shoe="5"}[5m])) + istio_request_total', known),
    [
      'istio_requests_total has no label shoe',
      'there is no metric istio_request_total',
      'nothing here has a label le',
      'nothing here has a label tag',
    ],
  );
});

test('every query is PromQL', { skip }, t => {
  const rules = ASKED.map(({ expr }, i) => ({ record: `board:query:${i}`, expr: withVariables(expr) }));
  // JSON is YAML.
  const file = join(t.testdir({}), 'rules.json');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'boards', rules }] }));
  const { ok, output } = runPromtool(promtool ?? '', ['check', 'rules', file]);
  t.ok(ok, output);
  t.end();
});

function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Cells of the grid that a panel covers; none for one that is not on it. */
function cells(panel: JsonObject): string[] {
  const { h, w, x, y } = isJsonObject(panel['gridPos']) ? panel['gridPos'] : {};
  if (typeof h !== 'number' || typeof w !== 'number' || typeof x !== 'number' || typeof y !== 'number')
    return [];
  if (x + w > 24) return [];
  return Array.from({ length: h * w }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
}

function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

function problemsOf(panel: JsonObject): readonly string[] {
  const title = String(panel['title']);
  const problems = cells(panel).length > 0 ? [] : [`${title} is not on the grid`];
  if (panel['type'] === 'row') return problems;
  const { description } = panel;
  if (typeof description !== 'string' || description.length < 10) problems.push(`${title} is not explained`);
  const ids = objects(panel['targets']).map(target => target['refId']);
  if (ids.length === 0 || !isUnique(ids)) problems.push(`${title} asks nothing, or twice under one name`);
  return problems;
}

test('what Grafana asks of a board: panels apart, each with an id, a title and an answer to what it means', t => {
  t.ok(isUnique(BOARDS.map(b => b.uid)));
  for (const board of BOARDS) {
    const json = parseJson(textOf(board));
    const panels = objects(isJsonObject(json) ? json['panels'] : undefined);
    t.match(board.uid, /^[a-z-]{8,40}$/);
    t.ok(isUnique(panels.map(p => p['id'])), `${board.uid}: ids`);
    t.ok(isUnique(panels.flatMap(cells)), `${board.uid}: no panel on another`);
    t.same(panels.flatMap(problemsOf), [], board.uid);
    const defined = new Set(['datasource', '__rate_interval', '__all', ...board.variables.map(v => v.name)]);
    const used = [...textOf(board).matchAll(/\$\{?(\w+)\}?/g)].map(([, name = '']) => name);
    t.same(
      used.filter(name => !defined.has(name)),
      [],
      `${board.uid}: every variable is one`,
    );
  }
  t.end();
});
