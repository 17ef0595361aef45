/** Pieces of PromQL that boards have in common. */

/** Grafana's: at least four scrapes. */
export const RATE = '$__rate_interval';

/** `name{a="b",c=~"$d"}`, without what is empty. */
export function select(metric: string, ...matchers: readonly string[]): string {
  const given = matchers.filter(matcher => matcher !== '');
  return given.length === 0 ? metric : `${metric}{${given.join(', ')}}`;
}

export function rate(selector: string): string {
  return `rate(${selector}[${RATE}])`;
}

export function sumRate(selector: string, ...by: readonly string[]): string {
  return sum(rate(selector), ...by);
}

export function sum(expr: string, ...by: readonly string[]): string {
  return by.length === 0 ? `sum(${expr})` : `sum by (${by.join(', ')}) (${expr})`;
}

/** Nothing, where nothing happens: not 0 and not 1. */
export function share(part: string, whole: string): string {
  return `${part} / ${whole}`;
}

/** Of a histogram `name`. */
export function quantile(
  q: number,
  metric: string,
  matchers: readonly string[],
  ...by: readonly string[]
): string {
  return `histogram_quantile(${q}, ${sumRate(select(`${metric}_bucket`, ...matchers), 'le', ...by)})`;
}

/** What happens seldom has no series before it first happens: 0 until then. */
export function orZero(expr: string): string {
  return `${expr} or vector(0)`;
}

/** Of the processes of one component alone, by what each says of itself: it does not depend on how they are scraped. */
export function of(component: 'ztunnel' | 'waypoint' | 'pilot', expr: string): string {
  return `${expr} and on (instance, job) istio_build{component="${component}"}`;
}

/** With the component as a label. */
export function withComponent(expr: string): string {
  return `${expr} * on (instance, job) group_left (component) istio_build`;
}
