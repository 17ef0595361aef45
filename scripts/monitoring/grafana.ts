import type { JsonObject } from '../../src/shared/config/json.ts';
import type { Board, Panel, Query, Unit, Variable } from './board.ts';

/** The classic model, which Grafana 10 to 13 import. */
const SCHEMA_VERSION = 39;
const COLUMNS = 24;
const HEIGHTS = { stat: 4, timeseries: 8, table: 10 } as const;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;
export const TAG = 'ambient-mesh';

/** A board as Grafana reads it. Pure: the same board gives the same text. */
export function toGrafana(board: Board): JsonObject {
  return {
    uid: board.uid,
    title: board.title,
    description: board.description,
    tags: [TAG],
    schemaVersion: SCHEMA_VERSION,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    // From board to board, with what was chosen.
    links: [
      {
        type: 'dashboards',
        title: 'Ambient mesh',
        icon: 'external link',
        tooltip: '',
        targetBlank: false,
        tags: [TAG],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: { list: [datasourceVariable(), ...board.variables.map(toVariable)] },
    annotations: { list: [] },
    panels: layOut(board),
  };
}

function datasourceVariable(): JsonObject {
  return { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' };
}

function toVariable(variable: Variable): JsonObject {
  const { label, name } = variable;
  if (variable.kind === 'custom') {
    const [first = ''] = variable.options;
    return {
      name,
      label,
      type: 'custom',
      query: variable.options.join(','),
      current: { text: first, value: first },
      multi: false,
      includeAll: false,
    };
  }
  const all = { text: ['All'], value: ['$__all'] };
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: variable.query, refId: name },
    definition: variable.query,
    // When the time range changes: what is chosen from is what was there then.
    refresh: 2,
    sort: 1,
    multi: variable.multi,
    includeAll: variable.multi,
    // A label that is not there counts as well.
    ...(variable.multi && { allValue: '.*', current: all }),
  };
}

/** Left to right, and down where a row is full. */
function layOut({ rows }: Board): readonly JsonObject[] {
  const placed: JsonObject[] = [];
  let y = 0;
  const add = (panel: JsonObject): void => void placed.push({ id: placed.length + 1, ...panel });
  for (const row of rows) {
    const gridPos = { x: 0, y: y++, w: COLUMNS, h: 1 };
    add({ type: 'row', title: row.title, collapsed: false, gridPos, panels: [] });
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      if (x + panel.width > COLUMNS) {
        x = 0;
        y += height;
        height = 0;
      }
      const h = HEIGHTS[panel.kind];
      add(toPanel(panel, { x, y, w: panel.width, h }));
      x += panel.width;
      height = Math.max(height, h);
    }
    y += height;
  }
  return placed;
}

function toPanel(panel: Panel, gridPos: JsonObject): JsonObject {
  const { description, kind, queries, title } = panel;
  return {
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: { defaults: fieldDefaults(panel), overrides: [] },
    options: OPTIONS[kind],
    targets: queries.map((query, i) => toTarget(query, i, kind)),
    ...(kind === 'table' && { transformations: tableTransformations(queries) }),
  };
}

const OPTIONS: Readonly<Record<Panel['kind'], JsonObject>> = {
  timeseries: {
    legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: {
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    colorMode: 'value',
    graphMode: 'area',
    textMode: 'auto',
  },
  table: { showHeader: true, cellHeight: 'sm' },
};

function fieldDefaults(panel: Panel): JsonObject {
  const { kind, stacked, unit } = panel;
  const custom = {
    drawStyle: 'line',
    fillOpacity: stacked === true ? 30 : 8,
    showPoints: 'never',
    stacking: { mode: stacked === true ? 'normal' : 'none' },
  };
  return {
    unit,
    ...(BOUNDED.has(unit) && { min: 0, max: 1 }),
    ...(unit !== 's' && !BOUNDED.has(unit) && { min: 0 }),
    ...(kind === 'timeseries' && { custom }),
    color: { mode: kind === 'stat' ? 'thresholds' : 'palette-classic' },
    thresholds: { mode: 'absolute', steps: steps(panel) },
  };
}

const BOUNDED: ReadonlySet<Unit> = new Set(['percentunit', 'bool_yes_no']);

function steps({ alarm }: Panel): readonly JsonObject[] {
  if (alarm === undefined) return [{ color: 'green', value: null }];
  const [low, high] = alarm.below === true ? ['red', 'green'] : ['green', 'red'];
  return [
    { color: low, value: null },
    { color: high, value: alarm.at },
  ];
}

function toTarget({ expr, legend }: Query, index: number, kind: Panel['kind']): JsonObject {
  return {
    refId: refId(index),
    datasource: DATASOURCE,
    editorMode: 'code',
    expr,
    legendFormat: kind === 'stat' ? '__auto' : legend,
    ...(kind === 'table' ? { format: 'table', instant: true, range: false } : { range: true }),
  };
}

function refId(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

/** One line for what all queries have in common, one column for each of them. */
function tableTransformations(queries: readonly Query[]): readonly JsonObject[] {
  const renameByName = Object.fromEntries(queries.map(({ legend }, i) => [`Value #${refId(i)}`, legend]));
  return [
    { id: 'merge', options: {} },
    { id: 'organize', options: { excludeByName: { Time: true }, renameByName } },
  ];
}
