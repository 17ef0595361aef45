/** One sample of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  /** Name and labels as they stand in the text, which are the same in each answer of a process. */
  readonly series: string;
}

/** Of an admin server. */
export const METRICS_PATH = '/stats/prometheus';

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})?\s+(\S+)(?:\s+-?\d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?/g;
const ESCAPES: Readonly<Record<string, string>> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' };
const ALL = (): boolean => true;

/**
 * Lines that are no samples (comments, blanks, anything malformed) are passed over.
 * @param isWanted of the metric's name; the others are not looked at
 * @param earlier samples of an earlier answer: labels of a series that is among them are not read again
 */
export function parsePrometheusText(
  text: string,
  isWanted: (name: string) => boolean = ALL,
  earlier: readonly Sample[] = [],
): Sample[] {
  const known = new Map(earlier.map(sample => [sample.series, sample.labels]));
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#') || !isWanted(nameOf(line))) continue;
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const series = name + labels;
    samples.push({
      name,
      labels: known.get(series) ?? parseLabels(labels),
      value: parseValue(value),
      series,
    });
  }
  return samples;
}

function nameOf(line: string): string {
  const end = line.search(/[{\s]/);
  return end < 0 ? line : line.slice(0, end);
}

function parseLabels(text: string): Map<string, string> {
  const labels = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(LABEL)) {
    labels.set(
      name,
      value.replace(/\\[n"\\]/g, escape => ESCAPES[escape] ?? escape),
    );
  }
  return labels;
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}
