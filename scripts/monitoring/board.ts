/** A dashboard as it is thought of: rows of panels, each a question and the queries that answer it. `grafana.ts` writes it down. */
export interface Board {
  /** In addresses; never changed, since people link to it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

/** What the viewer chooses. */
export type Variable =
  | {
      readonly kind: 'query';
      readonly name: string;
      readonly label: string;
      /** `label_values(…)` */
      readonly query: string;
      readonly multi: boolean;
    }
  /** The first option is the default. */
  | {
      readonly kind: 'custom';
      readonly name: string;
      readonly label: string;
      readonly options: readonly string[];
    };

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly title: string;
  /** What a high or low value means, for who has not built this. */
  readonly description: string;
  readonly kind: 'timeseries' | 'stat' | 'table';
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Columns of 24. */
  readonly width: number;
  /** Turns red from here on; with `below`, under it. */
  readonly alarm?: { readonly at: number; readonly below?: boolean };
  /** Whether the series are parts of a whole. */
  readonly stacked?: boolean;
}

/** Grafana's names of units. */
export type Unit =
  | 'short'
  | 'reqps'
  | 'cps'
  | 'ops'
  | 'Bps'
  | 'bytes'
  | 'ms'
  | 's'
  | 'percentunit'
  | 'bool_yes_no';

export interface Query {
  readonly expr: string;
  /** `{{label}}` stands for its value; of a table, the name of the column. */
  readonly legend: string;
}

type Rest = Partial<Pick<Panel, 'width' | 'alarm' | 'stacked'>>;

export function chart(
  title: string,
  description: string,
  unit: Unit,
  queries: readonly Query[],
  rest: Rest = {},
): Panel {
  return { title, description, kind: 'timeseries', unit, queries, width: 8, ...rest };
}

export function stat(title: string, description: string, unit: Unit, expr: string, rest: Rest = {}): Panel {
  return { title, description, kind: 'stat', unit, queries: [{ expr, legend: '' }], width: 4, ...rest };
}

export function table(title: string, description: string, queries: readonly Query[]): Panel {
  return { title, description, kind: 'table', unit: 'short', queries, width: 24 };
}
